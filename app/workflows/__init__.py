"""Durable work on Temporal: deterministic workflows, the activities beside them, and the workers that host both."""
