"""What pages and JSON share around a request: runtime, origin, errors, logs, health. Knows Flask, no noun."""
