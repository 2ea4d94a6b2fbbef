"""The posture of a web address as its answers, its certificate and its handshakes show it."""
