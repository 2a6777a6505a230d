"""A connection becomes a client."""
