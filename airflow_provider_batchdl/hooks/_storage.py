"""Turn a destination as the user writes it into a place in a store, through Airflow's object storage."""

from __future__ import annotations

import re
from contextlib import suppress
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_batchdl._airflow.compat import stores_in_use
from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl._values.inputs import SHOWN, is_path
from airflow_provider_batchdl.exceptions import BatchDlError, DestinationError, InvalidRequestError
from airflow_provider_batchdl.hooks._account import get_connection
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.destination_text import Written, check_round_trip, parse_destination
from airflow_provider_batchdl.transfer.probe import refuse_unusable
from airflow_provider_batchdl.transfer.source.filenames import split_suffix
from airflow_provider_batchdl.vendors import names

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


class _Store(NamedTuple):
    """A usual store, known without importing Airflow's provider of it, which would make parsing DAG files slow."""

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


def usual_scheme(scheme: str) -> str:
    """The usual one of a store's schemes, for any of them in lower case; another scheme as it is."""
    return _STORE_OF[scheme].schemes[0] if scheme in _STORE_OF else scheme


def destination_at(destination: str | ObjectStoragePath) -> Destination:
    """Resolve a destination, without a request to its store; refuses one that would lead elsewhere than it seems to."""
    from airflow.sdk import ObjectStoragePath

    text = text_of(destination)
    written = check_written(text)
    check_connection(written, text.partition("://")[0].lower())
    try:
        # Its scheme in lower case, for universal-pathlib before 0.3.
        path = ObjectStoragePath(re.sub(r"^\w[\w+.-]*://", lambda scheme: scheme[0].lower(), text))
        place = Destination(path.fs, path.path.rstrip("/") + "/" if text.endswith("/") else path.path, text)
    except Exception as error:
        raise DestinationError(
            f"The destination cannot be used: {error}.",
            remedy="Check the URL's scheme, that the provider for it is installed, and its connection.",
            # An unknown scheme stays unknown; a secrets backend may only be down for the moment.
            retryable=not isinstance(error, ValueError),
        ) from error
    # Airflow 3.1 has it only as an option.
    conn_id = getattr(path, "conn_id", None) or path.storage_options.get("conn_id")
    check_round_trip(text, written, place, conn_id)
    refuse_unusable(place)
    return place


def check_written(destination: str | ObjectStoragePath) -> Written:
    """Check and parse the text of a destination, without its store and Airflow's database."""
    text = str(destination)
    written = parse_destination(text)
    scheme, is_url, _ = text.partition("://")
    if is_url:
        check_scheme(scheme.lower())
    return written


def check_connection(written: Written, scheme: str = "") -> None:
    """Refuse a destination whose connection does not exist, or is for HTTP, another kind of store or a vendor.

    Without the connection, Airflow's Amazon provider would use whatever credentials the machine has.
    """
    conn_id = written.connection
    if conn_id is None:
        return
    try:
        conn_type = get_connection(conn_id).conn_type
    except BatchDlError as error:
        if _is_attached(scheme, conn_id):
            return
        raise DestinationError(error.message, remedy=error.remedy, retryable=error.retryable) from None
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


def text_of(destination: Any) -> str:
    """A destination as text, ending in a slash if it is a folder.

    A path object drops that slash. An ``ObjectStoragePath`` with a scheme still has the original text, unless it passed
    through XCom; otherwise a name with a suffix is an object, and an existing folder is a folder.
    """
    if isinstance(destination, str):
        return destination
    if not is_path(destination):
        raise InvalidRequestError(
            f"The destination is {excerpt(repr(destination), SHOWN)}, of type {type(destination).__name__}, and a "
            "destination is text or a path.",
            remedy="Check what its template or the upstream task returns; native rendering turns digits into a number.",
        )
    text = str(destination)
    if text.endswith("/"):
        return text
    if was_written_as_folder(destination):
        return text + "/"
    if any(char.isalpha() for char in split_suffix(text.rpartition("/")[2])[1]):
        return text
    with suppress(Exception):  # the store may be unreachable, or refuse
        if destination.is_dir():
            return text + "/"
    raise InvalidRequestError(
        f"The destination {text!r} is a {type(destination).__name__}, which drops a slash at its end, so that it may "
        "be a folder or an object.",
        remedy="Give it as text, ending in '/' for a folder.",
    )


def was_written_as_folder(destination: Any) -> bool:
    """True if a path object was created from text with a trailing slash, which Airflow's rendering drops."""
    given = (
        getattr(getattr(destination, "__wrapped__", None), "_raw_urlpaths", None)
        or getattr(destination, "_raw_paths", None)  # universal-pathlib before 0.3
        or ("",)
    )
    return str(given[-1]).endswith("/") or (len(given) > 1 and not str(given[-1]))


def check_scheme(scheme: str, *, of_file: bool = False) -> None:
    """Refuse a scheme, in lower case, that no installed provider serves."""
    what = "files" if of_file else "destinations"
    store = _STORE_OF.get(scheme)
    if store is None:
        from airflow.sdk.io import has_fs

        if has_fs(scheme):
            return
        # Who misspells a scheme begins it right; hdfs and obs are schemes of other stores, and no abfs.
        near = get_close_matches(scheme, [each for each in _STORE_OF if each[0] == scheme[:1]], 1, cutoff=0.5)
        usual = f"Use one of {', '.join(_STORE_OF)}, or install the provider that serves it."
        raise DestinationError(
            f"No installed provider serves {scheme}:// {what}.",
            remedy=f'Did you mean "{near[0]}://"?' if near else usual,
            retryable=False,
        )
    missing = [module for module in store.modules if not _is_installed(module)]
    if missing and (of_file or not _is_attached(scheme)):  # a file's path has attached it by itself
        raise DestinationError(
            f"{scheme}:// {what} need {' and '.join(missing)}, not installed here.",
            remedy=f"On every machine that parses or runs DAGs: pip install 'airflow-provider-batchdl[{store.extra}]'",
            retryable=False,
        )


def _is_attached(scheme: str, conn_id: str | None = None) -> bool:
    """True if a file system of the user's own is attached for a scheme, by ``airflow.sdk.io.attach``."""
    return any(each.protocol == scheme and conn_id in (None, each.conn_id) for each in stores_in_use())


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False
