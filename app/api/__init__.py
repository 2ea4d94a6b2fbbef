"""The JSON API for programs with a key: one module per noun."""
