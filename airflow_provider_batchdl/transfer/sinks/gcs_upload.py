"""One resumable upload to Google Cloud Storage.

Sources: https://cloud.google.com/storage/docs/performing-resumable-uploads (the session, chunks that are multiples of
256 KiB, 308 and its `Range`, asking with `bytes */*`, cancelling), https://cloud.google.com/storage/docs/resumable-uploads
(the session's address is a credential; it ends after a week). The CRC32C of the whole goes with the last request, as
Google's own clients send it (https://github.com/googleapis/google-cloud-cpp/pull/15815,
https://github.com/googleapis/java-storage/pull/3450): the store refuses to finish with content that it does not fit.
"""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Any

from airflow_provider_batchdl.transfer.sinks.gcs_api import (
    ATTEMPTS,
    CREATED,
    Answer,
    GcsError,
    GcsObject,
    pause,
    repeated,
    transient,
)
from airflow_provider_batchdl.transfer.sinks.loops import cancel

log = logging.getLogger(__name__)

ABORT_SECONDS = 60.0
"""A dead store may hold a task that is being killed no longer than this."""

_INCOMPLETE = 308
_NO_SESSION = frozenset({404, 410})
_CANCELLED = frozenset({204, 404, 410, 499})


class ResumableUpload:
    """One resumable upload; its chunks follow each other, one on its way at most.

    The object appears when `finish` is through. An upload that nobody ends stays invisible; it ends after a week.
    """

    def __init__(self, target: GcsObject) -> None:
        self._object = target
        # The task is kept, not only its result: a signal that arrives while the store answers must not lose the
        # address, without which the session cannot be cancelled.
        self._session = target.begin(target.start_upload)
        self._flying: tuple[asyncio.Task[Any], io.BytesIO] | None = None
        self._sent = 0

    def send(self, body: io.BytesIO) -> io.BytesIO | None:
        """Start sending `body`, a multiple of 256 KiB, as the next chunk once the one before has arrived.

        Returns:
            The buffer of the chunk before; `body` itself is lent until the next call.
        """
        spare = self.collect()
        self._flying = (self._object.begin(self._advance, body, self._sent), body)
        self._sent += body.getbuffer().nbytes
        return spare

    def collect(self) -> io.BytesIO | None:
        """Wait for the chunk under way; returns its buffer. Raises what sending it raised."""
        if self._flying is None:
            return None
        task, body = self._flying
        self._object.wait(task)
        self._flying = None
        return body

    def finish(self, body: io.BytesIO, checksum: str) -> str | None:
        """Send `body`, the last bytes: the object becomes visible.

        Args:
            body: the bytes, at least one.
            checksum: the whole object's CRC32C in base64; the store refuses content that it does not fit.

        Returns:
            The object's ETag.
        """
        self.collect()
        total = self._sent + body.getbuffer().nbytes
        self._flying = (self._object.begin(self._advance, body, self._sent, total, checksum), body)
        task, _ = self._flying
        resource: dict[str, Any] = self._object.wait(task)
        self._flying = None
        return self._object.published(resource)

    def abort(self) -> None:
        """Stop what is under way and cancel the session. Never raises."""
        try:
            self._stop()
            session = self._object.wait(self._session, timeout=ABORT_SECONDS)
        except Exception as error:  # noqa: BLE001  see the docstring: never raises
            log.debug("No resumable upload to cancel: %s", type(error).__name__)
            return
        try:
            task = self._object.begin(self._object.send, "DELETE", session)
            answer: Answer = self._object.wait(task, timeout=ABORT_SECONDS)
            said = None if answer.status in _CANCELLED else str(answer.status)
        except Exception as error:  # noqa: BLE001  see the docstring: never raises
            said = type(error).__name__
        if said is not None:
            log.warning("Could not cancel a resumable upload (%s); it stays invisible and ends within a week", said)

    async def _advance(
        self, body: io.BytesIO, start: int, total: int | None = None, checksum: str | None = None
    ) -> dict[str, Any] | None:
        """Send `body`, whose first byte is the object's byte `start`, until the session has all of it.

        Returns:
            The object's resource where `total`, its size, says that these are the last bytes; else None.
        """
        session = await asyncio.shield(self._session)
        end = start + body.getbuffer().nbytes
        has, fruitless = start, 0
        while fruitless < ATTEMPTS:
            body.seek(has - start)
            span = f"{has}-{end - 1}" if has < end else "*"
            headers = {"Content-Range": f"bytes {span}/{'*' if total is None else total}"}
            if checksum is not None:
                headers["X-Goog-Hash"] = f"crc32c={checksum}"
            try:
                answer = await self._object.send("PUT", session, body, headers=headers)
            except Exception as error:
                if fruitless + 1 == ATTEMPTS or not transient(error):
                    raise
                await asyncio.sleep(pause(fruitless + 1))
                answer = await repeated(lambda: self._ask(session))
            if answer.status in CREATED and total is not None:
                return answer.resource()
            kept = _kept(answer, start, end)
            if kept == end and total is None:
                return None
            fruitless = 0 if kept > has else fruitless + 1
            has = kept
        raise GcsError(503, "the upload session takes no more bytes")

    async def _ask(self, session: str) -> Answer:
        """What the session has: 308 with a `Range`, or the finished object where only the answer was lost."""
        return await self._object.send("PUT", session, headers={"Content-Range": "bytes */*"})

    def _stop(self) -> None:
        flying, self._flying = self._flying, None
        cancel(self._object.fs, [] if flying is None else [flying[0]], timeout=ABORT_SECONDS)


def _kept(answer: Answer, start: int, end: int) -> int:
    """How many bytes the session has, by its answer. Raises `GcsError` where they are not `start` to `end`."""
    if answer.status in _NO_SESSION:
        raise GcsError(410, "the upload session is gone")
    if answer.status != _INCOMPLETE:
        raise GcsError.of(answer)
    said = answer.headers.get("Range")
    kept = int(said.removeprefix("bytes=0-")) + 1 if said else 0
    if not start <= kept <= end:
        raise GcsError(410, f"the upload session has {kept} bytes instead of {start} to {end}")
    return kept
