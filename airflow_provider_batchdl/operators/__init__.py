"""Operators: submit, download, cancel, and all of it in one task."""

__all__: list[str] = []
