"""Upload parts through s3fs: more CPU, but supports every client option."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_provider_batchdl.transfer.sinks.fsspec_loop import cancel
from airflow_provider_batchdl.transfer.sinks.s3.api import ABORT_SECONDS, S3Object
from airflow_provider_batchdl.transfer.sinks.s3.crc32 import to_base64
from airflow_provider_batchdl.transfer.sinks.s3.part import Part


class Pending(Protocol):
    """A part on its way."""

    def result(self) -> dict[str, Any]:
        """Wait for the store's answer. Raises what sending it raised."""


class ClientParts:
    """Sends parts through the file system's client, as tasks on its loop.

    Args:
        target: the object.
        upload_id: the upload's.
        checksums: whether to send the CRC-32 of every part.
    """

    def __init__(self, target: S3Object, upload_id: str, *, checksums: bool) -> None:
        self._object = target
        self._upload_id = upload_id
        self._checksums = checksums
        self._pending: set[asyncio.Task[Any]] = set()

    def send(self, number: int, body: Part) -> Pending:
        """Start sending `body` as part `number`."""
        wanted: dict[str, Any] = {"PartNumber": number, "UploadId": self._upload_id}
        if self._checksums:
            wanted["ChecksumCRC32"] = to_base64(body.crc32)
        task = self._object.begin(self._object.send_async, "upload_part", body.file(), pending=self._pending, **wanted)
        return _ClientPart(self._object, task)

    def stop(self) -> None:
        """Cancel the parts under way."""
        cancel(self._object.fs, list(self._pending), timeout=ABORT_SECONDS)


@dataclass(frozen=True)
class _ClientPart:
    target: S3Object
    task: asyncio.Task[Any]

    def result(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.target.wait(self.task)
        return answer
