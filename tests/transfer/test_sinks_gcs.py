"""Google Cloud Storage: objects whole or not there, no upload left open. Over real sockets, through gcsfs."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import io
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.emulator import Fault as VendorFault
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer.landing import Destination, download
from airflow_provider_batchdl.transfer.sinks import Sink, gcs_api, open_sink, write_small
from airflow_provider_batchdl.transfer.sinks.gcs import CHUNK, GRAIN, SMALL, GcsSink
from airflow_provider_batchdl.transfer.sinks.gcs_api import ATTEMPTS, GcsObject
from tests.support.child import finished, order, running
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.transfer.conftest import ClientFor

CHILD = "tests.transfer.gcs_child"
MIB = 1 << 20
LARGE = 2 * CHUNK + 17
"""Two chunks on their way before `publish`, and a last one."""


@pytest.fixture
def server(gcs_server: GcsStore) -> GcsStore:
    return gcs_server


@pytest.fixture
def bucket(gcs_protocol_bucket: GcsBucket) -> GcsBucket:
    return gcs_protocol_bucket


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs_api, "FIRST_PAUSE", 0.001)


def sink_to(bucket: GcsBucket, key: str = "x", fs: Any = None, **hints: Any) -> Sink:
    return open_sink(fs or bucket.filesystem(), f"{bucket.name}/{key}", f"gs://conn@{bucket.name}/{key}", **hints)


def write_and_publish(sink: Sink, data: bytes) -> str | None:
    sink.write(data)
    return sink.publish()


@pytest.mark.parametrize("size", [0, 1, GRAIN, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, LARGE])
@pytest.mark.parametrize("piece", [64 << 10, 3 * MIB + 1, 64 * MIB])
def test_exact_bytes(gcs_bucket: GcsBucket, size: int, piece: int) -> None:
    data = os.urandom(size)
    sink = sink_to(gcs_bucket, "a/x y+é.bin", expected_bytes=size)
    for at in range(0, size, piece):
        sink.write(memoryview(data)[at : at + piece])
    assert sink.written == size
    assert gcs_bucket.keys() == []
    etag = sink.publish()
    assert gcs_bucket.read("a/x y+é.bin") == data
    assert etag == gcs_bucket.resource("a/x y+é.bin")["etag"]
    sink.discard()
    assert gcs_bucket.keys() == ["a/x y+é.bin"]


@pytest.mark.parametrize("size", [0, 1000, GRAIN, GRAIN + 1, CHUNK, CHUNK + GRAIN, LARGE])
def test_seal_then_publish(gcs_bucket: GcsBucket, size: int) -> None:
    data = os.urandom(size)
    sink = sink_to(gcs_bucket)
    sink.write(data)
    sink.seal()
    assert gcs_bucket.keys() == []
    assert isinstance(sink, GcsSink)
    assert sink._buffer is not None
    assert len(sink._buffer.getvalue()) <= SMALL
    with pytest.raises(DestinationError):
        sink.write(b"more")
    assert sink.publish() == gcs_bucket.resource("x")["etag"]
    assert gcs_bucket.read("x") == data


def test_an_object_is_replaced_whole(gcs_bucket: GcsBucket) -> None:
    fs = gcs_bucket.filesystem()
    assert fs.ls(gcs_bucket.name) == []
    for data in (os.urandom(LARGE), b"new", os.urandom(CHUNK + 1)):
        write_and_publish(sink_to(gcs_bucket, fs=fs), data)
        assert gcs_bucket.read("x") == data
        assert fs.ls(gcs_bucket.name) == [f"{gcs_bucket.name}/x"]  # the file system's cache was told
        assert fs.info(f"{gcs_bucket.name}/x")["size"] == len(data)


def test_the_file_system_that_connections_give(bucket: GcsBucket) -> None:
    """Its class is another one, and asks for a bucket's kind with gRPC, which nobody here answers."""
    import gcsfs

    fs = gcsfs.GCSFileSystem(token="anon", endpoint_url=bucket.endpoint_url, skip_instance_cache=True)
    bucket.opened.append(fs)
    data = os.urandom(LARGE)
    write_and_publish(sink_to(bucket, fs=fs), data)
    write_small(fs, f"{bucket.name}/small", "small", b"1")
    assert bucket.read("x") == data
    assert bucket.keys() == ["small", "x"]


@pytest.mark.parametrize("size", [0, 1000, CHUNK, LARGE])
@pytest.mark.parametrize("sealed", [False, True])
def test_discard_leaves_nothing(bucket: GcsBucket, server: GcsStore, size: int, sealed: bool) -> None:
    sink = sink_to(bucket)
    sink.write(b"x" * size)
    if sealed:
        sink.seal()
    sink.discard()
    sink.discard()
    assert bucket.keys() == server.open_sessions() == []
    for use in (sink.publish, sink.restart, sink.seal):
        with pytest.raises(DestinationError, match="already published or discarded"):
            use()
    del sink
    gc.collect()


def test_restart(bucket: GcsBucket, server: GcsStore) -> None:
    sink = sink_to(bucket)
    sink.write(b"old" * CHUNK)
    sink.restart()
    assert sink.written == 0
    assert server.open_sessions() == []
    data = os.urandom(LARGE)
    assert write_and_publish(sink, data) == bucket.resource("x")["etag"]
    assert bucket.read("x") == data
    assert server.open_sessions() == []


def test_the_connection_s_credentials_go_with_every_request(bucket: GcsBucket, server: GcsStore) -> None:
    from google.oauth2.credentials import Credentials

    server.forget()
    fs = bucket.filesystem(token=Credentials(token="made-up-token"))  # type: ignore[no-untyped-call]
    write_and_publish(sink_to(bucket, fs=fs), b"x" * LARGE)
    write_and_publish(sink_to(bucket, "small", fs), b"x")
    assert server.authorizations == {"Bearer made-up-token"}


def test_the_requests_are_those_of_google_s_own_client(bucket: GcsBucket, server: GcsStore) -> None:
    """Neither the server here nor the documentation tells as well what the store takes."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    data = os.urandom(LARGE)
    server.forget()
    write_and_publish(sink_to(bucket, create_only=True), data)
    ours = list(server.uploads)
    server.forget()
    client = Client("tests", AnonymousCredentials(), client_options={"api_endpoint": bucket.endpoint_url})  # type: ignore[no-untyped-call]
    blob = client.bucket(bucket.name).blob("theirs", chunk_size=CHUNK)
    blob.upload_from_file(io.BytesIO(data), checksum="crc32c", if_generation_match=0)
    client.close()
    assert server.uploads == ours
    assert ours[-1][1] is not None
    assert bucket.read("theirs") == bucket.read("x")


@pytest.mark.parametrize("path", ["", "only-a-bucket", "bucket/", "bucket/folder/"])
def test_no_object_named(bucket: GcsBucket, path: str) -> None:
    with pytest.raises(DestinationError, match="names no object"):
        open_sink(bucket.filesystem(), path, f"gs://{path}")


class TestCreateOnly:
    @pytest.mark.parametrize("size", [0, 1000, LARGE])
    @pytest.mark.parametrize("meanwhile", [False, True])
    def test_nothing_is_replaced(self, bucket: GcsBucket, server: GcsStore, size: int, meanwhile: bool) -> None:
        sink = sink_to(bucket, create_only=True)
        if meanwhile:
            sink.write(b"y" * (size + 1))
        data = os.urandom(size)
        assert write_and_publish(sink_to(bucket, create_only=True), data) == bucket.resource("x")["etag"]
        if not meanwhile:
            sink.write(b"y" * (size + 1))
        with pytest.raises(DestinationError, match="exists already") as caught:
            sink.publish()
        assert not caught.value.retryable
        assert bucket.read("x") == data
        assert server.open_sessions() == []

    @pytest.mark.parametrize("size", [1000, LARGE])
    @pytest.mark.parametrize("status", [0, 503])
    def test_a_lost_answer(self, bucket: GcsBucket, server: GcsStore, impatient: None, size: int, status: int) -> None:
        """The request is made again, and then meets the object that it has made itself."""
        server.faults += [Fault("put", status, done=True), Fault("last", status, done=True)]
        data = os.urandom(size)
        etag = write_and_publish(sink_to(bucket, create_only=True), data)
        assert etag == bucket.resource("x")["etag"]
        assert bucket.read("x") == data

    def test_a_lost_request_and_another_writer(self, bucket: GcsBucket, server: GcsStore, impatient: None) -> None:
        """The request is made again, and then meets an object, but not its own."""
        write_and_publish(sink_to(bucket), b"theirs")
        server.faults.append(Fault("put"))
        with pytest.raises(DestinationError, match="exists already"):
            write_and_publish(sink_to(bucket, create_only=True), b"ours")
        assert bucket.read("x") == b"theirs"


class TestFaults:
    @pytest.mark.parametrize("status", [408, 429, 500, 502, 504])
    def test_what_may_pass_is_tried_again(
        self, bucket: GcsBucket, server: GcsStore, impatient: None, status: int
    ) -> None:
        server.faults += [Fault(call, status) for call in ("put", "start", "chunk", "ask", "last")]
        for key, size in (("small", 1000), ("large", LARGE)):
            data = os.urandom(size)
            write_and_publish(sink_to(bucket, key), data)
            assert bucket.read(key) == data
        assert all(fault.struck == 1 for fault in server.faults)

    @pytest.mark.parametrize("status", [0, 503])
    @pytest.mark.parametrize(
        "fault",
        [
            Fault("start"),
            Fault("chunk"),
            Fault("chunk", skip=1, keeps=3 * GRAIN),
            Fault("chunk", done=True),
            Fault("chunk", times=ATTEMPTS - 1),
            Fault("last"),
            Fault("last", keeps=2 * GRAIN),
            Fault("last", done=True),
            Fault("ask", times=ATTEMPTS - 1),
        ],
        ids=lambda fault: f"{fault.call}-{fault.skip}-{fault.keeps}-{fault.done}-{fault.times}",
    )
    def test_it_goes_on_from_what_the_store_has(
        self, bucket: GcsBucket, server: GcsStore, impatient: None, fault: Fault, status: int
    ) -> None:
        ours = Fault(fault.call, status, fault.times, fault.skip, fault.done, fault.keeps)
        server.faults += [ours, *([Fault("chunk")] if fault.call == "ask" else [])]
        data = os.urandom(3 * CHUNK - 5)
        etag = write_and_publish(sink_to(bucket), data)
        assert ours.struck == fault.times
        assert bucket.read("x") == data
        assert etag == bucket.resource("x")["etag"]
        assert server.open_sessions() == []

    def test_a_lost_last_answer_is_a_publication(self, bucket: GcsBucket, server: GcsStore, impatient: None) -> None:
        server.faults.append(Fault("last", done=True))
        etag = write_and_publish(sink_to(bucket), os.urandom(LARGE))
        assert server.calls == ["start", "chunk", "chunk", "last", "ask"]
        assert etag == bucket.resource("x")["etag"]

    @pytest.mark.parametrize("status", [0, 429, 503])
    @pytest.mark.parametrize("call", ["start", "chunk", "ask", "last", "put"])
    def test_it_gives_up(self, bucket: GcsBucket, server: GcsStore, impatient: None, call: str, status: int) -> None:
        ours = Fault(call, status, times=99)
        server.faults += [ours, *([Fault("chunk")] if call == "ask" else [])]
        sink = sink_to(bucket)
        with pytest.raises(DestinationError) as caught:
            write_and_publish(sink, os.urandom(1000 if call == "put" else LARGE))
        assert caught.value.retryable
        assert str(status or "ServerDisconnected") in str(caught.value)
        # A request that may be repeated is made twice by aiohttp itself where a connection kept open was cut.
        assert ours.struck == ATTEMPTS or (status == 0 and ours.struck <= 2 * ATTEMPTS)
        assert bucket.keys() == server.open_sessions() == []
        sink.discard()

    def test_a_session_that_is_gone(self, bucket: GcsBucket, server: GcsStore) -> None:
        sink = sink_to(bucket)
        sink.write(b"x" * LARGE)
        sink.seal()
        server.sessions.clear()
        with pytest.raises(DestinationError, match="session is gone") as caught:
            sink.publish()
        assert caught.value.retryable
        assert "retry the task" in str(caught.value)
        assert bucket.keys() == []

    @pytest.mark.parametrize("size", [1000, LARGE])
    def test_bytes_that_change_on_the_way_are_not_published(
        self, bucket: GcsBucket, server: GcsStore, size: int
    ) -> None:
        sink = sink_to(bucket)
        sink.write(os.urandom(size))
        assert isinstance(sink, GcsSink)
        sink._checksum ^= 1
        with pytest.raises(DestinationError, match="doesn't match calculated CRC32C") as caught:
            sink.publish()
        assert caught.value.retryable
        assert bucket.keys() == server.open_sessions() == []

    def test_a_session_that_cannot_be_cancelled(
        self, bucket: GcsBucket, server: GcsStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.faults.append(Fault("cancel", 403))
        sink = sink_to(bucket)
        sink.write(b"x" * LARGE)
        sink.discard()
        assert "Could not cancel a resumable upload (403)" in caplog.text
        assert bucket.keys() == []


class TestRefusals:
    @pytest.mark.parametrize("size", [1, LARGE])
    def test_a_missing_bucket(self, bucket: GcsBucket, size: int) -> None:
        missing = f"{bucket.name}-missing"
        sink = open_sink(bucket.filesystem(), f"{missing}/x", f"gs://{missing}/x")
        with pytest.raises(DestinationError, match="404 The specified bucket does not exist") as caught:
            write_and_publish(sink, b"x" * size)
        assert f"gs://{missing}/x" in str(caught.value)
        assert "Create the bucket" in str(caught.value)
        assert not caught.value.retryable

    @pytest.mark.parametrize("status", [401, 403])
    @pytest.mark.parametrize("call", ["put", "start", "chunk", "last"])
    def test_refused_credentials(self, bucket: GcsBucket, server: GcsStore, call: str, status: int) -> None:
        server.faults.append(Fault(call, status))
        with pytest.raises(DestinationError, match=str(status)) as caught:
            write_and_publish(sink_to(bucket), b"x" * (1 if call == "put" else LARGE))
        assert "credentials" in str(caught.value)
        assert not caught.value.retryable
        assert caught.value.__suppress_context__
        assert bucket.keys() == server.open_sessions() == []

    @pytest.mark.parametrize("size", [1, LARGE])
    def test_nobody_listens(self, bucket: GcsBucket, impatient: None, size: int) -> None:
        fs = bucket.filesystem(endpoint_url="http://127.0.0.1:9")
        with pytest.raises(DestinationError, match="can reach it") as caught:
            write_and_publish(sink_to(bucket, fs=fs), b"x" * size)
        assert caught.value.retryable

    def test_a_store_that_does_not_answer(self, bucket: GcsBucket, impatient: None) -> None:
        import socket

        with socket.create_server(("127.0.0.1", 0)) as silent:
            endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
            fs = bucket.filesystem(endpoint_url=endpoint, requests_timeout=0.1)
            with pytest.raises(DestinationError, match=r"TimeoutError.*can reach it") as caught:
                write_and_publish(sink_to(bucket, fs=fs), b"x")
        assert caught.value.retryable


def test_the_session_is_a_secret(
    bucket: GcsBucket, server: GcsStore, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Its address authorises the upload: no log and no error shows it, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    server.faults += [Fault("chunk", 0), Fault("ask", 500), Fault("last", 403), Fault("cancel", 500)]
    with pytest.raises(DestinationError) as caught:
        write_and_publish(sink_to(bucket), b"x" * LARGE)
    assert [name for name in server.sessions if name in caplog.text + str(caught.value)] == []
    assert "gcssession" not in caplog.text + str(caught.value)


class TestSignals:
    """Airflow's time-outs and SIGTERM raise in the main thread, wherever it is; `discard` then cleans up."""

    @pytest.mark.parametrize("size", [CHUNK + 1, LARGE])
    def test_while_the_store_answers(
        self, bucket: GcsBucket, server: GcsStore, monkeypatch: pytest.MonkeyPatch, size: int
    ) -> None:
        sink = sink_to(bucket)
        sink.write(b"x" * size)
        with monkeypatch.context() as patched:
            patched.setattr(GcsObject, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                sink.publish()
        sink.discard()
        assert bucket.keys() == server.open_sessions() == []

    def test_while_a_chunk_travels(self, bucket: GcsBucket, server: GcsStore, monkeypatch: pytest.MonkeyPatch) -> None:
        real = GcsObject.send

        async def slow(self: GcsObject, method: str, url: str, body: Any = None, **arguments: Any) -> Any:
            if method == "PUT":
                await asyncio.sleep(30)
            return await real(self, method, url, body, **arguments)

        monkeypatch.setattr(GcsObject, "send", slow)
        sink = sink_to(bucket)
        sink.write(b"x" * (CHUNK + 1))
        sink.discard()
        assert bucket.keys() == server.open_sessions() == []


def interrupted(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def told(emulator: Emulator, job_id: str, bucket: GcsBucket) -> dict[str, Any]:
    """The order to land the job's result at `x`."""
    return order(emulator, job_id, f"{bucket.name}/x", endpoint_url=bucket.endpoint_url)


def test_a_killed_worker_leaves_nothing_visible(emulator: Emulator, bucket: GcsBucket, server: GcsStore) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=24 * MIB, format="csv"), state="succeeded")
    emulator.add_fault(VendorFault(operation="store", kind="stall", after_bytes=20 * MIB, seconds=60, times=9))
    with running(CHILD, told(emulator, job.id, bucket)) as process:
        deadline = time.monotonic() + 60
        while server.calls.count("chunk") < 2 and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.02)
    assert server.calls.count("chunk") == 2
    assert bucket.keys() == []
    assert server.open_sessions() == ["x"]  # which the store forgets after a week
    emulator.clear_faults()
    result, _ = finished(CHILD, told(emulator, job.id, bucket), timeout=120)
    assert result["landing"]["bytes"] == 24 * MIB
    assert hashlib.sha256(bucket.read("x")).hexdigest() == job.files()[0].sha256


@pytest.mark.big
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc to measure the peak")
def test_a_large_result_lands_in_little_memory(emulator: Emulator, bucket: GcsBucket) -> None:
    size = 256 * MIB
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=size, format="csv"), state="succeeded")
    result, _ = finished(CHILD, told(emulator, job.id, bucket), timeout=280)
    assert result["landing"]["files"][0]["sha256"] == job.files()[0].sha256
    assert bucket.resource("x")["size"] == str(size)
    print(f"256 MiB to Google Cloud Storage: {result['over'] / MIB:.1f} MiB over")  # noqa: T201 pytest -rP shows it
    assert result["over"] <= 64 * MIB


class TestDownload:
    @pytest.fixture
    def place(self, gcs_bucket: GcsBucket) -> Destination:
        name = f"{gcs_bucket.name}/results/export.jsonl"
        return Destination(gcs_bucket.filesystem(), name, f"gs://conn@{name}")

    def test_several_parts_and_their_manifest(
        self, emulator: Emulator, client_for: ClientFor, gcs_bucket: GcsBucket, place: Destination
    ) -> None:
        job = emulator.add_job(
            "batchcom", result=ResultSpec(bytes=24 * MIB, format="jsonl", parts=3), state="succeeded"
        )
        landing = download(client_for("batchcom"), job.id, place)
        keys = [f"results/export-part-000{number}.jsonl" for number in (1, 2, 3)]
        assert gcs_bucket.keys() == [*keys, "results/export_manifest.json"]
        for key, file, true in zip(keys, landing.files, job.files(), strict=True):
            assert hashlib.sha256(gcs_bucket.read(key)).hexdigest() == file.sha256 == true.sha256
        assert Landing.from_dict(json.loads(gcs_bucket.read("results/export_manifest.json"))) == landing

    def test_what_is_there_is_in_the_way(
        self, emulator: Emulator, client_for: ClientFor, gcs_bucket: GcsBucket, place: Destination
    ) -> None:
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
        download(client_for("apartmentiq"), job.id, place, if_exists="error")
        etag = gcs_bucket.resource("results/export.jsonl")["etag"]
        with pytest.raises(DestinationError, match="exists already") as caught:
            download(client_for("apartmentiq"), job.id, place, if_exists="error")
        assert not caught.value.retryable
        assert gcs_bucket.resource("results/export.jsonl")["etag"] == etag

    def test_what_is_there_is_recognised(
        self, emulator: Emulator, client_for: ClientFor, gcs_bucket: GcsBucket, place: Destination
    ) -> None:
        job = emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl", parts=2), state="succeeded")
        landing = download(client_for("batchcom"), job.id, place, if_exists="skip")
        asked = len(emulator.requests)
        again = download(client_for("batchcom"), job.id, place, if_exists="skip")
        assert [file.uri for file in again.files] == [file.uri for file in landing.files]
        assert "store" not in [request.operation for request in emulator.requests[asked:]]
        write_small(place.fs, place.part(1, "").path, "x", b"another's, and longer or shorter")
        download(client_for("batchcom"), job.id, place, if_exists="skip")
        assert hashlib.sha256(gcs_bucket.read("results/export-part-0001.jsonl")).hexdigest() == landing.files[0].sha256

    def test_a_store_that_does_not_let_us_look(
        self, emulator: Emulator, client_for: ClientFor, bucket: GcsBucket, server: GcsStore
    ) -> None:
        server.faults.append(Fault("look", 403, times=99))
        fs = bucket.filesystem()
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
        with pytest.raises(DestinationError, match="credentials") as caught:
            download(client_for("apartmentiq"), job.id, Destination(fs, f"{bucket.name}/x", "x"), if_exists="error")
        assert not caught.value.retryable
