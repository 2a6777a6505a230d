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


class _Need(NamedTuple):
    modules: tuple[str, ...]
    install: str


_S3 = _Need(("airflow.providers.amazon", "s3fs"), "pip install 'airflow-provider-batchdl[s3]'")
_GCS = _Need(("airflow.providers.google", "gcsfs"), "pip install 'airflow-provider-batchdl[gcs]'")
_AZURE = _Need(("airflow.providers.microsoft.azure", "adlfs"), "pip install 'airflow-provider-batchdl[azure]'")
_LOCAL = _Need((), "")

_USUAL = {
    **dict.fromkeys(("file", "local"), _LOCAL),
    **dict.fromkeys(("s3", "s3a", "s3n"), _S3),
    **dict.fromkeys(("gs", "gcs"), _GCS),
    **dict.fromkeys(("abfs", "abfss", "adl"), _AZURE),
}
"""Schemes of the providers' `airflow/providers/**/fs/*.py`."""


# Airflow's Amazon provider accepts other types, too, with a warning, and some users have "s3" or "generic" there: only
# types that are certainly meant for something else are refused.
_STORES = {"s3": {"aws"}, "gs": {"google_cloud_platform"}, "abfs": {"wasb", "adls", "azure_data_lake"}}
_STORE_OF = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs", "abfs": "abfs", "abfss": "abfs"}


def check_connection_type(scheme: str, conn_id: str, conn_type: str | None) -> None:
    """Refuse a destination's connection of type HTTP, of another store, or of one of our vendors.

    Args:
        scheme: the destination's, in lower case; with one that is not known here, any type is accepted.
        conn_id: the connection's.
        conn_type: its type.

    Raises:
        DestinationError: it is one of these; not retryable; both types are named.
    """
    store = _STORE_OF.get(scheme)
    if store is None:
        return
    wanted = _STORES[store]
    if conn_type in {"http", *names(), *set().union(*_STORES.values())} - wanted:
        raise DestinationError(
            f"The destination's connection {conn_id!r} is of type {conn_type!r}, and {scheme}:// takes one of type "
            f"{' or '.join(map(repr, sorted(wanted)))}.",
            remedy="Name the store's connection before the '@' of the destination, not the vendor's.",
            retryable=False,
        )


def check_scheme(scheme: str) -> None:
    """Refuse a scheme that no installed provider serves.

    Args:
        scheme: a destination's, in lower case.

    Raises:
        DestinationError: no provider serves it; not retryable; the remedy names what to install, or a similar scheme.
    """
    need = _USUAL.get(scheme)
    if need is None:
        from airflow.sdk.io import has_fs

        if has_fs(scheme):
            return
        near = get_close_matches(scheme, _USUAL, 1, cutoff=0.5)
        usual = f"Use one of {', '.join(_USUAL)}, or install the provider that serves it."
        raise DestinationError(
            f"No installed provider serves {scheme}:// destinations.",
            remedy=f'Did you mean "{near[0]}://"?' if near else usual,
            retryable=False,
        )
    missing = [module for module in need.modules if not _is_installed(module)]
    if missing and not is_attached(scheme):
        raise DestinationError(
            f"{scheme}:// destinations need {' and '.join(missing)}, not installed here.",
            remedy=f"On every machine that parses or runs DAGs: {need.install}",
            retryable=False,
        )


def is_attached(scheme: str, conn_id: str | None = None) -> bool:
    """True if a file system of the user's own is attached for a scheme, by ``airflow.sdk.io.attach``.

    Args:
        scheme: a destination's, in lower case.
        conn_id: the connection id that it is attached as; None for any.
    """
    return any(each.protocol == scheme and conn_id in (None, each.conn_id) for each in stores_in_use())


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False
