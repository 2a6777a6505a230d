"""Waiting without a worker."""

__all__: list[str] = []
