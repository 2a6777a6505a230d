"""A large file from a source that caps each connection: several of them, and the same promises."""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.emulator.records import RequestRecord
from airflow_provider_batchdl.exceptions import BatchDlError, ChecksumMismatchError, DestinationError
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.job_download import download
from airflow_provider_batchdl.transfer.parallel import division, plan, scaling
from airflow_provider_batchdl.transfer.reorder_buffer import FileReorderBuffer
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink
from airflow_provider_batchdl.transfer.source import retry_budget
from tests.transfer.conftest import ClientFor, left_in, local

SIZE = 6_000_000
SPEED = 2_000_000
STEP = SPEED // 10
"""Bytes that the emulator sends at once at this speed: so many may be on their way when a connection is cut short."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is worth several connections, at a size that a test can afford."""
    monkeypatch.setattr(division, "WORTH_DIVIDING", 1_000_000)
    monkeypatch.setattr(division, "PIECE", 300_000)
    monkeypatch.setattr(division, "RECORD_EVERY", 100_000)
    monkeypatch.setattr(plan, "SMALLEST_SHARE", 100_000)
    monkeypatch.setattr(scaling, "SOURCE_BOUND", 0.0)  # on a busy machine the source is not what is waited for
    monkeypatch.setattr(division, "WORTH_SECONDS", 0.0)  # a burst after a pause of the machine looks like a fast source
    monkeypatch.setattr(retry_budget, "backoff", lambda failures, retry_after=None: 0.01)


@pytest.fixture(params=["disk", "memory"])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    """One that takes bytes anywhere, and one that takes them in their order."""
    if request.param == "disk":
        yield local(tmp_path / "result.jsonl")
        return
    fs = MemoryFileSystem()
    path = f"/{tmp_path.name}/{request.node.name}.jsonl"
    yield Destination(fs, path, f"memory:/{path}")
    fs.rm(f"/{tmp_path.name}", recursive=True)


@pytest.fixture
def capped(emulator: Emulator) -> Emulator:
    """The emulator with a store that brings so many bytes a second on each connection."""
    emulator.set_speed(SPEED)
    return emulator


def fetched(
    emulator: Emulator, client_for: ClientFor, to: Destination, *faults: Fault, connections: int = 8, size: int = SIZE
) -> Landing:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=size, format="jsonl"), state="succeeded")
    for fault in faults:
        emulator.add_fault(fault)
    landing = download(client_for("apartmentiq"), job.id, to, max_connections=connections)
    digest = hashlib.sha256(to.fs.cat_file(to.path)).hexdigest()
    assert digest == landing.files[0].sha256
    assert digest in {file.sha256 for file in job.files()}
    assert landing.files[0].rows is not None
    assert not [thread for thread in threading.enumerate() if thread.name == "batchdl-part"]
    return landing


def store_requests(emulator: Emulator) -> list[RequestRecord]:
    return [request for request in emulator.requests if request.operation == "store"]


def wire(emulator: Emulator) -> int:
    return sum(request.bytes_sent for request in store_requests(emulator))


def test_a_capped_source_is_read_by_several_connections(
    capped: Emulator, client_for: ClientFor, destination: Destination
) -> None:
    landing = fetched(capped, client_for, destination)
    assert landing.connections > 1
    assert landing.resumed == landing.restarted == 0
    assert [request.operation for request in capped.requests].count("download") == 1  # one link for all
    assert wire(capped) <= SIZE + len(store_requests(capped)) * STEP


# The first four on both kinds of destinations: how a part is fetched again does not depend on where it goes.
FAULTS = [
    ([Fault("cut", operation="store", after_bytes=600_000, times=3)], True, False),
    ([Fault("changed_file", operation="store", after=1)], True, True),
    ([Fault("ignore_range", operation="store", times=20)], True, True),
    ([Fault("status", operation="store", after=1, status=503, retry_after=1, times=3)], False, False),
    ([Fault("chunked_eof", operation="store", after=1, after_bytes=100_000)], True, False),
    ([Fault("reset", operation="store", after=1, times=2)], False, False),
    ([Fault("status", operation="store", after=1, status=500, times=2)], False, False),
    ([Fault("expired_link", operation="store", after=1, times=2)], False, False),
    ([Fault("stall", operation="store", after=1, after_bytes=100_000, seconds=1)], False, False),
    ([Fault("wrong_range", operation="store", times=20)], True, True),
    ([Fault("headers", operation="store", after=1, headers={"etag": None}, times=20)], True, True),
    ([Fault("headers", operation="store", after=1, headers={"content-encoding": "gzip"}, times=20)], True, True),
    ([Fault("headers", operation="store", after=1, headers={"content-length": "7"})], True, False),
    ([Fault("headers", operation="store", after=1, headers={"content-range": "bytes 0-9/*"})], True, False),
    ([Fault("headers", operation="store", after=1, headers={"content-type": "multipart/byteranges"})], True, False),
    (
        [Fault("headers", operation="store", after=1, headers={"last-modified": "Tue, 14 Nov 2023 22:13:20 GMT"})],
        True,
        False,
    ),
    ([Fault("status", operation="store", after=1, status=416)], True, False),
    ([Fault("status", operation="store", after=1, status=404, times=2)], False, False),
]


@pytest.mark.parametrize(
    ("destination", "faults", "resumed", "restarted"),
    [*(("disk", *case) for case in FAULTS), *(("memory", *case) for case in FAULTS[:4])],
    indirect=["destination"],
    ids=lambda value: "-".join(fault.kind for fault in value) if isinstance(value, list) else "",
)
def test_what_goes_wrong_on_some_of_them_is_survived(
    capped: Emulator,
    client_for: ClientFor,
    destination: Destination,
    faults: list[Fault],
    resumed: bool,
    restarted: bool,
) -> None:
    landing = fetched(capped, client_for, destination, *faults)
    assert landing.connections > 1 or restarted
    assert bool(landing.resumed) >= resumed
    assert bool(landing.restarted) == restarted


def test_one_link_for_all_is_asked_for_once_when_it_ends(
    capped: Emulator, client_for: ClientFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that are refused at about the same time: one of them asks the vendor."""
    noted = LocalSink.record_progress
    divided: list[int] = []

    def expiring(self: LocalSink, at: int, landed: tuple[tuple[int, int], ...]) -> None:
        noted(self, at, landed)
        if not divided:  # before any other connection has asked for a part
            divided.append(at)
            capped.expire_links()

    monkeypatch.setattr(LocalSink, "record_progress", expiring)
    fetched(capped, client_for, local(tmp_path / "r"))
    refused = [request for request in store_requests(capped) if request.status == 403]
    assert refused
    assert [request.operation for request in capped.requests].count("download") == 2


def test_a_server_that_takes_no_more_connections_is_not_pressed(
    capped: Emulator, client_for: ClientFor, destination: Destination
) -> None:
    busy = Fault("status", operation="store", status=503, after=2, times=2)
    landing = fetched(capped, client_for, destination, busy)
    assert 1 < landing.connections <= 4
    assert landing.resumed == 0  # what those would have fetched is the others' work


def test_a_single_connection_is_all_that_is_taken_where_no_more_are_allowed(
    capped: Emulator, client_for: ClientFor, destination: Destination
) -> None:
    landing = fetched(capped, client_for, destination, connections=1, size=2_000_000)
    assert landing.connections == 1
    assert len(store_requests(capped)) == 1


def test_a_source_that_is_faster_than_we_are_gets_one_connection(
    emulator: Emulator, client_for: ClientFor, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "SOURCE_BOUND", 2.0)  # a busy test machine is no measure
    assert fetched(emulator, client_for, destination).connections == 1


def test_a_bit_that_flips_in_one_part_is_found(capped: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    flip = Fault("bitflip", operation="store", at_byte=SIZE - 100, after=1, times=99)
    with pytest.raises(ChecksumMismatchError):
        fetched(capped, client_for, local(tmp_path / "r"), Fault("checksum", operation="store"), flip)
    assert left_in(tmp_path) == []


def test_a_part_that_never_comes_ends_typed_and_leaves_nothing(
    capped: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    with pytest.raises(BatchDlError):
        fetched(
            capped,
            client_for,
            local(tmp_path / "r"),
            Fault("cut", operation="store", after_bytes=0, after=1, times=999),
        )
    assert left_in(tmp_path) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "batchdl-part"]


def test_a_disk_that_fills_up_ends_typed_and_leaves_nothing(
    capped: Emulator, client_for: ClientFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: FileReorderBuffer, at: int, data: bytes | memoryview) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FileReorderBuffer, "put", full)
    with pytest.raises(DestinationError, match="No space left"):
        fetched(capped, client_for, local(tmp_path / "r"))
    assert left_in(tmp_path) == []


def test_a_signal_leaves_what_came_and_the_next_try_asks_for_the_rest_only(
    capped: Emulator, client_for: ClientFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts beyond the first gap are kept, too."""
    job = capped.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="jsonl"), state="succeeded")
    landed: list[int] = []
    noted = LocalSink.record_progress

    def stopping(self: LocalSink, at: int, intervals: tuple[tuple[int, int], ...]) -> None:
        noted(self, at, intervals)
        landed[:] = [sum(last - first for first, last in intervals)]
        if landed[0] > SIZE // 2 and len(intervals) > 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(LocalSink, "record_progress", stopping)
    with pytest.raises(KeyboardInterrupt):
        download(client_for("apartmentiq"), job.id, local(tmp_path / "r"))
    monkeypatch.setattr(LocalSink, "record_progress", noted)
    before = wire(capped)
    assert "r" not in left_in(tmp_path)
    landing = download(client_for("apartmentiq"), job.id, local(tmp_path / "r"))
    assert hashlib.sha256((tmp_path / "r").read_bytes()).hexdigest() == landing.files[0].sha256 == job.files()[0].sha256
    assert landing.resumed >= 1
    assert landing.restarted == 0
    again = len(store_requests(capped)) * STEP
    assert wire(capped) - before <= SIZE - landed[0] + again
    assert left_in(tmp_path) == ["r"]
