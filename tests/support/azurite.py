"""A real Azure Blob Storage server on loopback: Azurite, Microsoft's emulator, from npm.

What it needs is pinned with hashes in azurite-npm/package-lock.json and installed once, beside the Python environment:
by `python -m tests.support.azurite`, which `make unit` runs, or by the first test that wants it.
It differs from the service in one thing that matters here: it drops no uncommitted blocks after a week, or at Put Blob.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from demo.home import reserved_port

PINNED = Path(__file__).with_name("azurite-npm")
INSTALLED = Path(sys.prefix) / "share" / "azurite"
INSTALL_SECONDS = 200.0  # less than a test may take
ASK_SECONDS = 30.0
START_SECONDS = 240.0
ACCOUNT = "batchdltests"
KEY = "teststoresecret" * 4  # valid Base64, and known to tests/support/leaks.py


@dataclass(frozen=True)
class AzureStore:
    """Where the server listens."""

    url: str

    @property
    def connection_string(self) -> str:
        """With the account's key; what an Airflow connection's extra of that name takes."""
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={self.url};"

    def at(self, origin: str) -> AzureStore:
        """The same, under the address of a proxy."""
        return AzureStore(f"{origin}/{ACCOUNT}")

    def client(self) -> Any:
        """A synchronous `BlobServiceClient`; close it after use."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient.from_connection_string(self.connection_string)

    def container(self) -> str:
        """The name of a new, empty container."""
        name = f"t-{uuid.uuid4().hex[:16]}"
        with self.client() as client:
            client.create_container(name).close()
        return name

    def connection_string_with_sas(self, container: str, permissions: str, *, hours: float = 1) -> str:
        """One that may do only this much in one container (`racwdl`), for so long."""
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        token = generate_container_sas(
            ACCOUNT,
            container,
            account_key=KEY,
            permission=ContainerSasPermissions.from_string(permissions),
            expiry=datetime.now(UTC) + timedelta(hours=hours),
        )
        return f"BlobEndpoint={self.url};SharedAccessSignature={token}"

    def filesystem(self, **arguments: Any) -> Any:
        """A new adlfs file system whose client repeats what fails, as always, but does not wait 15 s before it."""
        import adlfs
        from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry

        settings = {"connection_string": self.connection_string, "skip_instance_cache": True, **arguments}
        fs = adlfs.AzureBlobFileSystem(**settings)
        at_once = ExponentialRetry(initial_backoff=0, increment_base=0, random_jitter_range=0)
        fs.service_client = BlobServiceClient.from_connection_string(
            settings["connection_string"], retry_policy=at_once
        )
        return fs


def close_filesystem(fs: Any) -> None:
    """Close its sockets now; adlfs leaves that to the garbage collector."""
    from fsspec.asyn import sync

    sync(fs.loop, fs.service_client.close)


def installed_azurite() -> Path:
    """Azurite's program, installed now unless it is there.

    Raises:
        RuntimeError: it cannot be had on this machine; why.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise RuntimeError("needs node and npm")
    pins = b"".join((PINNED / name).read_bytes() for name in ("package.json", "package-lock.json"))
    folder = INSTALLED / hashlib.sha256(pins).hexdigest()[:16]
    program = folder / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    done = folder / "done"
    try:
        INSTALLED.mkdir(parents=True, exist_ok=True)
        with (INSTALLED / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the other xdist workers wait here
            if not done.exists():
                _install(folder)
                done.touch()
    except OSError as error:
        raise RuntimeError(f"cannot install Azurite: {error}") from None
    return program


def _install(folder: Path) -> None:
    # One failure is enough for a whole run: each further worker would wait for the same time-outs.
    failed, run = INSTALLED / "failed", os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
    if run and failed.exists() and failed.read_text() == run:
        raise RuntimeError("cannot install Azurite: another worker has just failed")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PINNED, folder)
    settings = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline",
                "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"]  # fmt: skip
    try:
        # One question first: without a registry, npm would wait for each of hundreds of packages.
        for arguments, seconds in ((["view", "azurite", "name"], ASK_SECONDS), (["ci"], INSTALL_SECONDS)):
            command = ["npm", *arguments, *settings]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=seconds)
    except subprocess.SubprocessError as error:
        failed.write_text(run)
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
        raise RuntimeError(f"cannot install Azurite: {said[:300] or type(error).__name__}") from None


@contextlib.contextmanager
def running_azurite(program: Path) -> Iterator[AzureStore]:
    """Start Azurite on a free loopback port with its own data folder; kill it and remove the folder at the end.

    Raises:
        RuntimeError: it did not answer in time (its log is in the message).
    """
    with (
        tempfile.TemporaryDirectory(prefix="azurite-", ignore_cleanup_errors=True) as folder,
        reserved_port() as port,
    ):
        process = _start(program, Path(folder), port)
        try:
            if not _answers(process, port):
                raise RuntimeError("Azurite did not start:\n" + (Path(folder) / "log").read_text()[-3000:])
            yield AzureStore(f"http://127.0.0.1:{port}/{ACCOUNT}")
        finally:
            process.kill()
            process.wait()


def _start(program: Path, folder: Path, port: int) -> subprocess.Popen[bytes]:
    # `skipApiVersionCheck`: the client speaks the newest version of the protocol, the emulator often the one before.
    command = ["node", str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder),
               "--silent", "--skipApiVersionCheck", "--disableTelemetry"]  # fmt: skip
    with (folder / "log").open("wb") as log:
        environment = {**os.environ, "HOME": str(folder), "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


if __name__ == "__main__":
    try:
        installed_azurite()
    except RuntimeError as reason:
        print(f"The tests against Azure's emulator will be skipped: {reason}.")  # noqa: T201 a command prints
