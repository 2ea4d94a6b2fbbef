"""What workflows have done for them: probes without a database, records through the services."""
