"""Engines, the unit of work (the one commit), row-level security and migrations."""
