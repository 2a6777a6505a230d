"""Vendors as documents, from public documentation; each fact has its source in a comment."""

__all__: list[str] = []
