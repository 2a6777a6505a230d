"""Schemes and connection types of destinations, checked without a request.

The usual schemes are known without importing Airflow's providers, which would make parsing DAG files slow.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib.util import find_spec
from typing import NamedTuple

from airflow_provider_batchdl._airflow.compat import stores_in_use
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.vendors import names


class _Store(NamedTuple):
    schemes: tuple[str, ...]
    modules: tuple[str, ...] = ()
    extra: str = ""
    conn_types: frozenset[str] = frozenset()


# Schemes of the providers' `airflow/providers/**/fs/*.py`.
_STORES = (
    _Store(("file", "local")),
    _Store(("s3", "s3a", "s3n"), ("airflow.providers.amazon", "s3fs"), "s3", frozenset({"aws"})),
    _Store(("gs", "gcs"), ("airflow.providers.google", "gcsfs"), "gcs", frozenset({"google_cloud_platform"})),
    _Store(
        ("abfs", "abfss", "adl"),
        ("airflow.providers.microsoft.azure", "adlfs"),
        "azure",
        frozenset({"wasb", "adls", "azure_data_lake"}),
    ),
)
_STORE_OF = {scheme: store for store in _STORES for scheme in store.schemes}


def check_connection_type(scheme: str, conn_id: str, conn_type: str | None) -> None:
    """Refuse a destination's connection of type HTTP, of another store, or of one of our vendors.

    With a ``scheme`` (in lower case) that is not known here, any type is accepted.
    """
    # Airflow's Amazon provider accepts other types, too, with a warning, and some users have "s3" or "generic" there:
    # only types that are certainly meant for something else are refused.
    wanted = _STORE_OF[scheme].conn_types if scheme in _STORE_OF else frozenset()
    if wanted and conn_type in {"http", *names()}.union(*(store.conn_types for store in _STORES)) - wanted:
        raise DestinationError(
            f"The destination's connection {conn_id!r} is of type {conn_type!r}, and {scheme}:// takes one of type "
            f"{' or '.join(map(repr, sorted(wanted)))}.",
            remedy="Name the store's connection before the '@' of the destination, not the vendor's.",
            retryable=False,
        )


def check_scheme(scheme: str) -> None:
    """Refuse a scheme, in lower case, that no installed provider serves."""
    store = _STORE_OF.get(scheme)
    if store is None:
        from airflow.sdk.io import has_fs

        if has_fs(scheme):
            return
        near = get_close_matches(scheme, _STORE_OF, 1, cutoff=0.5)
        usual = f"Use one of {', '.join(_STORE_OF)}, or install the provider that serves it."
        raise DestinationError(
            f"No installed provider serves {scheme}:// destinations.",
            remedy=f'Did you mean "{near[0]}://"?' if near else usual,
            retryable=False,
        )
    missing = [module for module in store.modules if not _is_installed(module)]
    if missing and not is_attached(scheme):
        raise DestinationError(
            f"{scheme}:// destinations need {' and '.join(missing)}, not installed here.",
            remedy=f"On every machine that parses or runs DAGs: pip install 'airflow-provider-batchdl[{store.extra}]'",
            retryable=False,
        )


def is_attached(scheme: str, conn_id: str | None = None) -> bool:
    """True if a file system of the user's own is attached for a scheme, by ``airflow.sdk.io.attach``."""
    return any(each.protocol == scheme and conn_id in (None, each.conn_id) for each in stores_in_use())


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False
