"""Turn a destination as the user writes it into a place in a store, through Airflow's object storage."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl._values.inputs import SHOWN, is_path
from airflow_provider_batchdl.exceptions import DestinationError, InvalidRequestError
from airflow_provider_batchdl.hooks._missing import unreadable
from airflow_provider_batchdl.hooks._schemes import check_connection_type, check_scheme, is_attached
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.destination_text import Written, check_round_trip, parse_destination
from airflow_provider_batchdl.transfer.probe import refuse_unusable
from airflow_provider_batchdl.transfer.source.filenames import split_suffix

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


def destination_at(destination: str | ObjectStoragePath) -> Destination:
    """Resolve a destination, without a request to its store.

    Raises:
        InvalidRequestError: it is empty, or would lead elsewhere than where it seems to.
        DestinationError: no provider for its scheme is installed, its connection does not work, or a local one is
            something that a file cannot replace.
    """
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
    """Refuse a destination whose connection does not exist, or is for another kind of store.

    Without the connection, Airflow's Amazon provider would use whatever credentials the machine has.
    """
    from airflow.sdk import BaseHook

    if written.connection is None:
        return
    try:
        connection = BaseHook.get_connection(written.connection)
    except Exception as error:  # noqa: BLE001 its errors have changed with every minor release
        if is_attached(scheme, written.connection):
            return
        wrong = unreadable(written.connection, error)
        raise DestinationError(wrong.message, remedy=wrong.remedy, retryable=wrong.retryable) from None
    check_connection_type(scheme, written.connection, connection.conn_type)


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
