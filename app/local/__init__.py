"""What `make run` and `make test` start in place of real servers; imports nothing of the application."""
