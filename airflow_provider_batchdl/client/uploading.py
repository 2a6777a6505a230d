"""The file of a submit: opened for a request, its store's errors kept apart from the vendor's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import UnsupportedOperation
from typing import Any, BinaryIO

import httpx

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._values.storable import words_of
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError, TransferError
from airflow_provider_batchdl.vendors.base import Upload, Vendor

log = get_logger(__name__)

CHUNK = 64 * 2**10
Opener = Callable[[str], BinaryIO]

_CAUSES: dict[type[Exception], str] = {
    FileNotFoundError: "does not exist",
    IsADirectoryError: "is a folder, and no file",
    PermissionError: "may not be read, or is not there",
}


def open_local(source: str) -> BinaryIO:
    """Open a local file for reading."""
    return open(source, "rb")  # noqa: PTH123 the URL or path of an Upload


def unreadable(vendor: Vendor, error: Exception, source: str) -> BatchDlError:
    """The error for a file to submit that cannot be read, or not to its end: the vendor has no whole request."""
    passing = isinstance(error, ConnectionError | TimeoutError)
    kind: type[BatchDlError] = TransferError if passing else InvalidRequestError
    words = next((words for each, words in _CAUSES.items() if isinstance(error, each)), None)
    reason = f"cannot be read: {words_of(error) or type(error).__name__}"
    place = ", and the connection to the store it is in." if "://" in source else " and writes to this worker's disk."
    if not passing and ":" not in source and not source.startswith("/"):
        place = f"{place} It is relative to a folder that each worker has another of: give the path from / on."
    return kind(
        f"The file to submit, {source!r}, {words or reason}.",
        vendor=vendor.name,
        remedy=f"Check the task's file, and that what writes it comes before this task{place}",
    )


class _Source(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A file to upload. Its store's errors are typed here, where they cannot be taken for errors of the vendor."""

    def __init__(self, vendor: Vendor, stream: BinaryIO, source: str) -> None:
        self._vendor, self._stream, self._source = vendor, stream, source

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except Exception as error:  # noqa: BLE001 a store may raise anything
            raise unreadable(self._vendor, error, self._source) from None  # its words may hold a signed URL

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._stream.seek(offset, whence)
        except (AttributeError, UnsupportedOperation):
            raise UnsupportedOperation("seek") from None
        except Exception as error:
            if whence:
                raise  # only how long it is; httpx can do without
            raise unreadable(self._vendor, error, self._source) from None

    def __iter__(self) -> Iterator[bytes]:
        with suppress(UnsupportedOperation):
            self.seek(0)
        while chunk := self.read(CHUNK):
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def opened(vendor: Vendor, upload: Upload | None, opener: Opener) -> Iterator[dict[str, Any] | None]:
    """The argument of ``httpx`` for ``upload``, its name and value; the file is open for as long."""
    if upload is None:
        yield None
        return
    stack = ExitStack()
    try:
        stream = stack.enter_context(opener(upload.source))
    except Exception as error:  # noqa: BLE001 as above
        raise unreadable(vendor, error, upload.source) from None
    source = _Source(vendor, stream, upload.source)
    try:
        if upload.field:
            yield {"files": {upload.field: (upload.filename, source, upload.content_type)}}
        else:
            yield {"content": source}
    finally:
        try:
            stack.close()
        except Exception as error:  # noqa: BLE001 as above; and the vendor may have accepted the file
            log.warning("Cannot close the file that was submitted: %s", type(error).__name__)
