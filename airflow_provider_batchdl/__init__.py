"""Airflow provider for batch APIs: submit a batch, wait for it, download the result file."""

__all__ = ["__version__"]

__version__ = "0.1.0"
