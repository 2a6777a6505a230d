"""When to poll which job next, in numbers: no requests, no Airflow."""

__all__: list[str] = []
