"""The verbs of the application, one module per noun."""
