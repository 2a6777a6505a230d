"""Sinks for results: one object or file at a time, invisible until it is published whole."""

__all__: list[str] = []
