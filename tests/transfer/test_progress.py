"""The lines by which a person follows a download."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.transfer import progress
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.job_download import download
from airflow_provider_batchdl.transfer.parallel import division, plan, scaling
from airflow_provider_batchdl.transfer.progress import ProgressLines, amount, duration
from tests.transfer.conftest import ClientFor, local

MB = 1_000_000


@dataclass
class Clock:
    """A clock that a test winds."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Story:
    """A download of bytes that come evenly, and when it wrote its lines."""

    clock: Clock = field(default_factory=Clock)
    lines: list[tuple[float, str]] = field(default_factory=list)

    def tell(self, log: pytest.LogCaptureFixture, rate: float, size: int, *, known: bool = True) -> None:
        told = ProgressLines(clock=self.clock)
        began = self.clock.now
        told.begin("result.csv", 0, size if known else None)
        done = 0.0
        while done < size:
            self.clock.now += 0.25
            done = min(size, done + rate / 4)
            told.at(round(done))
            if log.messages:
                self.lines.append((self.clock.now - began, log.messages[-1]))
                log.clear()

    @property
    def gaps(self) -> list[float]:
        times = [0.0, *(time for time, _ in self.lines)]
        return [after - before for before, after in pairwise(times)]


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="airflow_provider_batchdl")


def test_a_quick_download_says_nothing_on_its_way(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()
    story.tell(caplog, rate=100 * MB, size=900 * MB)
    assert story.lines == []


def test_never_more_than_a_line_in_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()
    story.tell(caplog, rate=10 * MB, size=500 * MB)
    assert story.gaps == [10.0] * 5  # 20 % each
    assert story.lines[0][1] == "Downloading result.csv: 100.0 MB of 500.0 MB (20%), 10.0 MB/s, 40 s left"


def test_of_a_slow_one_a_line_for_each_twentieth(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()
    story.tell(caplog, rate=MB, size=800 * MB)
    assert story.gaps == [40.0] * 20


def test_of_a_very_slow_one_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()
    story.tell(caplog, rate=MB, size=6_000 * MB)
    assert set(story.gaps) == {60.0}
    assert story.lines[0][1].endswith("60.0 MB of 6.0 GB (1%), 1.0 MB/s, 1 h 39 min left")


def test_without_a_known_size_there_is_neither_share_nor_end(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()
    story.tell(caplog, rate=MB, size=30 * MB, known=False)
    assert [line for _, line in story.lines] == [
        "Downloading result.csv: 10.0 MB, 1.0 MB/s",
        "Downloading result.csv: 20.0 MB, 1.0 MB/s",
        "Downloading result.csv: 30.0 MB, 1.0 MB/s",
    ]


def test_what_an_earlier_try_left_does_not_count_as_speed(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    told = ProgressLines(clock=clock)
    told.begin("result.csv", 400 * MB, 500 * MB)
    clock.now += 10
    told.at(450 * MB)
    assert caplog.messages == ["Downloading result.csv: 450.0 MB of 500.0 MB (90%), 5.0 MB/s, 10 s left"]


def test_a_pause_before_it_goes_on_counts(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    told = ProgressLines(clock=clock)
    told.begin("result.csv", 0, 500 * MB)
    told.at(50 * MB)
    clock.now += 9
    told.begin("result.csv", 50 * MB, 500 * MB)
    clock.now += 1
    told.at(60 * MB)
    assert "6.0 MB/s" in caplog.text


def test_one_that_begins_again_is_measured_anew(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    told = ProgressLines(clock=clock)
    told.begin("result.csv", 0, 500 * MB)
    clock.now += 10
    told.at(200 * MB)
    told.begin("result.csv", 0, 500 * MB)
    clock.now += 10
    told.at(100 * MB)
    assert "100.0 MB of 500.0 MB (20%), 10.0 MB/s" in caplog.messages[-1]


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (2.5e12, "2.5 TB")],
)
def test_amounts(count: float, words: str) -> None:
    assert amount(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.6, "1 h 0 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for every chunk, that a download of a second shows what one of an hour would."""
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    monkeypatch.setattr(progress, "STEP", 0.0)


Counts = Callable[[], list[int]]


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    """The byte counts that downloads told of."""
    told: list[int] = []
    real = ProgressLines.at

    def at(self: ProgressLines, done: int) -> None:
        told.append(done)
        real(self, done)

    monkeypatch.setattr(ProgressLines, "at", at)
    return lambda: told


@pytest.mark.usefixtures("talkative")
def test_a_download_tells_how_far_it_is_and_what_it_left(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = emulator.add_job("apartmentiq", ResultSpec(bytes=3 * MB))
    landing = download(client_for("apartmentiq"), job.id, local(tmp_path / "result.csv"))
    [file] = landing.files
    lines = [line for line in caplog.messages if line.startswith("Downloading")]
    assert lines[-1].startswith(f"Downloading {file.source_name}: {amount(file.bytes)} of {amount(file.bytes)} (100%)")
    assert file.sha256 is not None
    landed = f"Landed {file.uri}: {amount(file.bytes)}, {file.rows:,} rows, sha256 {file.sha256[:12]}…"
    assert landed in caplog.messages
    summary = caplog.messages[-1]
    assert summary.startswith(f"The result of job {job.id} is complete: 1 file, {amount(file.bytes)} in ")
    assert "resumed" not in summary
    assert "restarted" not in summary


@pytest.mark.usefixtures("talkative")
def test_where_it_was_interrupted_and_resumed(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, caplog: pytest.LogCaptureFixture, counts: Counts
) -> None:
    job = emulator.add_job("apartmentiq", ResultSpec(bytes=3 * MB))
    emulator.add_fault(Fault("cut", operation="store", after_bytes=MB))
    download(client_for("apartmentiq"), job.id, local(tmp_path / "result.csv"))
    assert f"Download interrupted at byte {MB}" in caplog.text
    assert caplog.messages[-1].endswith("resumed 1 time")
    assert counts() == sorted(counts())


@pytest.mark.parametrize(
    ("vendor", "faults", "reason"),
    [
        ("apartmentiq", [Fault("ignore_range", operation="store")], "the source ignored the range request"),
        ("apartmentiq", [Fault("changed_file", operation="store")], "the file at the source has changed"),
        ("proofy", [], "the source has no validator: the file may have changed"),
    ],
    ids=["no ranges", "another file", "no validator"],
)
def test_why_it_began_again(
    emulator: Emulator,
    client_for: ClientFor,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    vendor: str,
    faults: list[Fault],
    reason: str,
) -> None:
    job = emulator.add_job(vendor, ResultSpec(bytes=3 * MB, format="json" if vendor == "proofy" else "csv"))
    where = "download" if vendor == "proofy" else "store"
    for fault in (Fault("cut", operation=where, after_bytes=MB), *faults):
        emulator.add_fault(fault)
    landing = download(client_for(vendor), job.id, local(tmp_path / "result"))
    assert f"Download cannot be resumed ({reason}); restarting from byte 0" in caplog.messages
    assert landing.restarted == 1
    assert "restarted 1 time" in caplog.messages[-1]


def test_one_that_did_not_come_whole_is_begun_again_once(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = emulator.add_job("apartmentiq", ResultSpec(bytes=3 * MB))
    emulator.add_fault(Fault("bitflip", operation="store", at_byte=MB, declare_checksum=True))
    landing = download(client_for("apartmentiq"), job.id, local(tmp_path / "result.csv"))
    assert landing.restarted == 1
    assert sum("from byte 0" in line for line in caplog.messages) == 1


@pytest.mark.usefixtures("talkative")
@pytest.mark.parametrize("store", ["disk", "memory"])
def test_several_connections_are_one_download(
    emulator: Emulator,
    client_for: ClientFor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    counts: Counts,
    store: str,
) -> None:
    """Where bytes are put as they arrive, and where they wait for their turn."""
    monkeypatch.setattr(division, "WORTH_DIVIDING", MB)
    monkeypatch.setattr(division, "PIECE", MB // 3)
    monkeypatch.setattr(plan, "SMALLEST_SHARE", MB // 10)
    monkeypatch.setattr(scaling, "SOURCE_BOUND", 0.0)  # on a busy machine the source is not what is waited for
    monkeypatch.setattr(division, "WORTH_SECONDS", 0.0)  # a burst after a pause of the machine looks like a fast source
    emulator.set_speed(2 * MB)
    job = emulator.add_job("apartmentiq", ResultSpec(bytes=6 * MB))
    path = f"{tmp_path}/result.csv"
    memory = Destination(MemoryFileSystem(), path, f"memory:/{path}")
    landing = download(client_for("apartmentiq"), job.id, local(Path(path)) if store == "disk" else memory)
    if store == "memory":
        memory.fs.rm(path)
    assert landing.connections > 1
    assert counts() == sorted(counts())
    assert counts()[-1] == landing.bytes
