"""Bytes from a URL into a store: streamed, verified, and only then visible. Imports no Airflow."""
