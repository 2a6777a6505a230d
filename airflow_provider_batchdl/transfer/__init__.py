"""Bytes from a URL into a store: streamed, verified, and only then visible. Imports no Airflow."""

MAX_CONNECTIONS = 8
"""The most connections for one file where nothing else is said."""
