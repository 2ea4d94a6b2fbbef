"""The staff console: the platform's own pages, in a process and with a sign-in of their own."""
