"""Shared by operators, sensor and task group: submit once, defer, download, and the checks before that."""

__all__: list[str] = []
