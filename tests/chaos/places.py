"""Destinations that a test can look into while a download is under way: a folder on the disk, and an S3 bucket."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from pathlib import Path
from threading import Event, Lock
from typing import Any, Protocol

from tests.chaos.schedule import Kill

NAME = "result.dat"
OLD = b"an older result\n"


class Place(Protocol):
    """One example's destination."""

    path: str
    """What is ordered."""

    @property
    def s3(self) -> dict[str, Any] | None:
        """Options of the S3 file system; None for the disk."""

    def put_old(self) -> None:
        """An older result is there. Not where the destination is a folder: the name is not known before."""

    def visible(self) -> dict[str, bytes]:
        """All that anybody sees there, by name."""

    def hidden(self) -> list[str]:
        """What else is there: partial files, notes of what can be gone on with."""

    def uploads(self) -> set[str]:
        """Ids of the unfinished uploads; a disk has none."""

    def clear(self) -> None:
        """Remove it."""


class DiskPlace:
    """A folder of its own on the local disk."""

    s3 = None

    def __init__(self, parent: Path, *, folder: bool) -> None:
        self._folder = parent / uuid.uuid4().hex
        self.path = f"{self._folder}/" if folder else str(self._folder / NAME)

    def put_old(self) -> None:
        self._folder.mkdir()
        (self._folder / NAME).write_bytes(OLD)

    def visible(self) -> dict[str, bytes]:
        return {name: (self._folder / name).read_bytes() for name in self._names() if not name.startswith(".")}

    def hidden(self) -> list[str]:
        return [name for name in self._names() if name.startswith(".")]

    def uploads(self) -> set[str]:
        return set()

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _names(self) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir()) if self._folder.exists() else []


class BucketPlace:
    """A key prefix of its own in an S3 bucket, reached through a `Gate`."""

    def __init__(self, client: Any, bucket: str, options: dict[str, Any]) -> None:
        self._client, self._bucket = client, bucket
        self._prefix = f"{uuid.uuid4().hex}/"
        self.path = f"{bucket}/{self._prefix}{NAME}"
        self.s3 = options

    def put_old(self) -> None:
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + NAME, Body=OLD)

    def visible(self) -> dict[str, bytes]:
        return {name: self._read(name) for name in self._names() if not name.startswith(".")}

    def hidden(self) -> list[str]:
        return [name for name in self._names() if name.startswith(".")]

    def uploads(self) -> set[str]:
        found = self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=self._prefix).get("Uploads", [])
        return {entry["UploadId"] for entry in found}

    def clear(self) -> None:
        for name in self._names():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    def _names(self) -> list[str]:
        found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix).get("Contents", [])
        return [entry["Key"].removeprefix(self._prefix) for entry in found]

    def _read(self, name: str) -> bytes:
        with self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"] as body:
            return bytes(body.read())


class Gate:
    """Stands in the proxy before the S3 store and kills a download at one of its calls."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known = Event()
        self.arm(None)

    def arm(self, kill: Kill | None) -> None:
        """Count calls from now on, to strike at one; None to let all through."""
        with self._lock:
            self._kill = kill if kill and kill.where != "byte" else None
            self._calls = self._answers = 0
            self._pid: int | None = None
            self._known.clear()

    def began(self, pid: int) -> None:
        """Say which process is to be killed."""
        with self._lock:
            self._pid = pid
        self._known.set()

    def before(self, call: str) -> tuple[int, bytes] | None:
        with self._lock:
            self._calls += 1
            struck = self._kill is not None and self._kill.where == "step" and self._calls == self._kill.at
        return (503, b"") if struck and self._strike() else None

    def after(self, call: str) -> None:
        with self._lock:
            self._answers += 1
            struck = self._kill is not None and self._kill.where == "answer" and self._answers == self._kill.at
        if struck:
            self._strike()

    def _strike(self) -> bool:
        self._known.wait(10)
        with self._lock:
            if self._pid is None:
                return False
            os.kill(self._pid, signal.SIGKILL)
            return True
