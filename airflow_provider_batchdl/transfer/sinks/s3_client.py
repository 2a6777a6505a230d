"""Parts sent through the s3fs file system's client: dear, but it can do whatever the client can."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_provider_batchdl.transfer.sinks.loops import cancel
from airflow_provider_batchdl.transfer.sinks.part import Part
from airflow_provider_batchdl.transfer.sinks.s3_object import ABORT_SECONDS, S3Object


class Pending(Protocol):
    """A part on its way."""

    def result(self) -> dict[str, Any]:
        """Wait; what the store said of it. Raises what sending it raised."""


class ClientParts:
    """Sends parts through the file system's client, as tasks on its loop."""

    def __init__(self, target: S3Object, upload_id: str) -> None:
        self._object = target
        self._upload_id = upload_id
        self._tasks: list[asyncio.Task[Any]] = []

    def send(self, number: int, body: Part) -> Pending:
        """Start sending `body` as part `number`."""
        names = {"PartNumber": number, "UploadId": self._upload_id}
        task = self._object.begin(self._object.send_async, "upload_part", body.file(), **names)
        self._tasks = [each for each in self._tasks if not each.done()] + [task]
        return _ClientPart(self._object, task)

    def stop(self) -> None:
        """Cancel the parts under way."""
        tasks, self._tasks = self._tasks, []
        cancel(self._object.fs, tasks, timeout=ABORT_SECONDS)


@dataclass(frozen=True)
class _ClientPart:
    target: S3Object
    task: asyncio.Task[Any]

    def result(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.target.wait(self.task)
        return answer
