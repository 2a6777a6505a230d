"""Adapters to Airflow itself: its versions, metrics, traces, log groups, failures and kills."""

__all__: list[str] = []
