"""The terminal chat against a real server."""
