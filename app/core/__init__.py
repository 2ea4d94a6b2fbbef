"""What every layer may use: settings, errors, permissions, clock, ids, logs, cryptography."""
