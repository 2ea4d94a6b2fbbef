"""Tables, one module per noun; each declares its home."""
