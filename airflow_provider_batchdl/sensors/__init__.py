"""Sensors: wait for a job."""

__all__: list[str] = []
