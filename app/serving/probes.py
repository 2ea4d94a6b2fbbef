"""Whether a server that the platform itself is configured with accepts connections."""

import socket


def temporal_answers(address: str) -> bool:
    """Tell whether something listens at `host:port` within half a second."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=0.5):
            return True
    except (OSError, ValueError):
        return False
