"""Vendors as data: a class made from a TOML or JSON document, see ``docs/declared-vendors.md``."""

from airflow_provider_batchdl.vendors.declared.document import Document
from airflow_provider_batchdl.vendors.declared.reading import DocumentError
from airflow_provider_batchdl.vendors.declared.vendor import Declared

__all__ = ["Declared", "Document", "DocumentError"]
