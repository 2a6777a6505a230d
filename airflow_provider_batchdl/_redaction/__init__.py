"""Redaction of secrets in everything that is logged, raised or shown."""

__all__: list[str] = []
