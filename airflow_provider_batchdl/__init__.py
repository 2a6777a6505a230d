"""Airflow provider for batch APIs: submit a batch, wait for it, download the result file."""

__version__ = "0.1.0"
