"""One module per scanner: pure probes that take a ticket and give an artefact; no database, no settings."""
