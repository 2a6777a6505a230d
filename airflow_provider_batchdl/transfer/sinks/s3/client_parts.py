"""Upload parts through s3fs: more CPU, but supports every client option."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from airflow_provider_batchdl.transfer.sinks.buffered import ABORT_SECONDS
from airflow_provider_batchdl.transfer.sinks.fsspec_loop import cancel
from airflow_provider_batchdl.transfer.sinks.s3.api import S3Object
from airflow_provider_batchdl.transfer.sinks.s3.crc32 import to_base64
from airflow_provider_batchdl.transfer.sinks.s3.part import Part


class ClientParts:
    """Sends parts through the file system's client, as tasks on its loop."""

    def __init__(self, target: S3Object, upload_id: str, *, checksums: bool) -> None:
        self._object = target
        self._upload_id = upload_id
        self._checksums = checksums
        self._pending: set[asyncio.Task[Any]] = set()

    def send(self, number: int, body: Part) -> Callable[[], dict[str, Any]]:
        """Start sending `body` as part `number`. Returns what waits for the store's answer."""
        wanted: dict[str, Any] = {"PartNumber": number, "UploadId": self._upload_id}
        if self._checksums:
            wanted["ChecksumCRC32"] = to_base64(body.crc32)
        task = self._object.begin(self._object.send_async, "upload_part", body.file(), pending=self._pending, **wanted)
        return partial(self._object.wait, task)

    def stop(self) -> None:
        """Cancel the parts under way."""
        cancel(self._object.fs, list(self._pending), timeout=ABORT_SECONDS)
