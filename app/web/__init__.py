"""The tenants' pages: one module per noun, forms beside their handlers."""
