"""From a destination as a user writes it to a place in a store, through Airflow's object storage."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.exceptions import DestinationError, InvalidRequestError
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.existing import refuse_unusable
from airflow_provider_batchdl.transfer.filenames import split_suffix
from airflow_provider_batchdl.transfer.written import check_round_trip, parse_destination

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


def destination_at(destination: str | ObjectStoragePath) -> Destination:
    """The place that ``destination`` names, as far as it can be known without asking the store.

    Args:
        destination: ``s3://aws_conn@bucket/key``, ``gs://...``, ``file:///...``, an absolute local path; a folder where
            it ends in ``/``. Of a path object, see :func:`text_of`.

    Raises:
        InvalidRequestError: it is empty, or would lead elsewhere than where it seems to.
        DestinationError: no provider for its scheme is installed, its connection does not work, or a local one is what
            no file can replace.
    """
    from airflow.sdk import ObjectStoragePath

    text = text_of(destination)
    written = parse_destination(text)
    try:
        # Its scheme in small letters, for universal-pathlib before 0.3.
        path = ObjectStoragePath(re.sub(r"^\w[\w+.-]*://", lambda scheme: scheme[0].lower(), text))
        place = Destination(path.fs, path.path.rstrip("/") + "/" if text.endswith("/") else path.path, text)
    except Exception as error:
        raise DestinationError(
            f"The destination cannot be used: {error}.",
            remedy="Check the URL's scheme, that the provider for it is installed, and its connection.",
            # A scheme that nobody serves stays unserved; a secrets backend may only be down for the moment.
            retryable=not isinstance(error, ValueError),
        ) from error
    # Airflow 3.1 knows it as an option alone.
    conn_id = getattr(path, "conn_id", None) or path.storage_options.get("conn_id")
    check_round_trip(text, written, place, conn_id)
    refuse_unusable(place)
    return place


def text_of(destination: Any) -> str:
    """A destination as text, with a slash at its end where it is a folder.

    A path object drops that slash. It still says how it was written where it is an ``ObjectStoragePath`` with a scheme
    that came through no XCom; else a name with a suffix is an object, and what exists as a folder is one.

    Raises:
        InvalidRequestError: it may be either.
    """
    if isinstance(destination, str):
        return destination
    text = str(destination)
    if text.endswith("/"):
        return text
    if was_written_as_folder(destination):
        return text + "/"
    if any(char.isalpha() for char in split_suffix(text.rpartition("/")[2])[1]):
        return text
    with suppress(Exception):  # the store may be out of reach, or not let us see
        if destination.is_dir():
            return text + "/"
    raise InvalidRequestError(
        f"The destination {text!r} is a {type(destination).__name__}, which drops a slash at its end, so that nobody "
        "knows whether it is a folder or an object.",
        remedy="Give it as text, ending in '/' for a folder.",
    )


def was_written_as_folder(destination: Any) -> bool:
    """Whether a path object was made of a text that ends in a slash. Airflow's rendering of templates forgets it."""
    given = (
        getattr(getattr(destination, "__wrapped__", None), "_raw_urlpaths", None)
        or getattr(destination, "_raw_paths", None)  # universal-pathlib before 0.3
        or ("",)
    )
    return str(given[-1]).endswith("/") or (len(given) > 1 and not str(given[-1]))
