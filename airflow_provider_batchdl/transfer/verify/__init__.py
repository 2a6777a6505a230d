"""Checks that the bytes received are the whole file."""

__all__: list[str] = []
