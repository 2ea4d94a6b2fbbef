"""Who and where: the tenant of the present work, its isolation level and its actor. Standard library only."""
