"""Order and times of polls, in numbers: no requests, no Airflow."""

__all__: list[str] = []
