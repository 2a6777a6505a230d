"""Hooks: turn an Airflow connection into a client of its vendor."""

__all__: list[str] = []
