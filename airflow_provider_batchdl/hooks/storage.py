"""From a destination as a user writes it to a place in a store, through Airflow's object storage."""

from __future__ import annotations

from airflow.sdk import ObjectStoragePath

from airflow_provider_batchdl.exceptions import DestinationError, InvalidRequestError
from airflow_provider_batchdl.transfer.landing import Destination


def destination_at(destination: str | ObjectStoragePath) -> Destination:
    """The place that ``destination`` names.

    Args:
        destination: ``s3://aws_conn@bucket/key``, ``gs://...``, ``file:///...``, a local path; a folder where it ends
            in ``/``.

    Raises:
        InvalidRequestError: it is empty.
        DestinationError: no provider for its scheme is installed, or its connection does not work.
    """
    text = str(destination)
    if not text.strip():
        raise InvalidRequestError(
            "The destination is empty.", remedy="See what its template renders to; leave it out for XCom."
        )
    try:
        path = ObjectStoragePath(text)
        return Destination(path.fs, path.path + ("/" if text.endswith("/") else ""), text)
    except Exception as error:
        raise DestinationError(
            f"The destination cannot be used: {error}.",
            remedy="Check the URL's scheme, that the provider for it is installed, and its connection.",
            # A scheme that nobody serves stays unserved; a secrets backend may only be down for the moment.
            retryable=not isinstance(error, ValueError),
        ) from error
