"""A worker killed with SIGKILL, and what the next try makes of what it left. Real processes."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer.job_download import Destination, download
from airflow_provider_batchdl.transfer.sinks.local.partial import DRAFT, read_state
from airflow_provider_batchdl.transfer.state import PartialRecord
from tests.support import child
from tests.support.child import order, running
from tests.transfer.conftest import ClientFor, left_in

MIB = 2**20
SIZE = 24 * MIB
# A reader may hold so much in its hands before it writes.
IN_HAND = 2 * MIB
SLACK = 64 << 10
WAIT = 100.0
# More changes of names than replacing a result takes.
STEPS = 16
CHILD = "tests.transfer.kill_child"

pytestmark = pytest.mark.timeout(240)


def partial(folder: Path) -> Path | None:
    return next(folder.rglob("*.part"), None)


def noted(folder: Path) -> int:
    """How many bytes the record beside the partial names, where several connections bring them."""
    found = partial(folder)
    record = PartialRecord.from_json(read_state(str(found))) if found else None
    return sum(last - first for first, last in record.landed) if record else 0


def killed(emulator: Emulator, job_id: str, path: str, folder: Path, at: int, vendor: str = "apartmentiq") -> int:
    """Kill a download while the source is silent after ``at`` bytes; how many bytes the partial has then."""
    operation = "store" if vendor in ("apartmentiq", "batchcom") else "download"
    emulator.add_fault(Fault("stall", operation=operation, after_bytes=at, seconds=600))
    with running(CHILD, order(emulator, job_id, path, vendor=vendor)) as process:
        deadline = time.monotonic() + WAIT
        size = -1
        while time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()[1]
            found = partial(folder)
            before, size = size, found.stat().st_size if found else 0
            if found and size >= max(1, at - IN_HAND) and size == before:
                break
            time.sleep(0.1)
        process.kill()
        process.wait(WAIT)
    found = partial(folder)
    assert found is not None
    size = found.stat().st_size
    assert at - IN_HAND <= size <= at
    return size


def finished(emulator: Emulator, job_id: str, path: str, vendor: str = "apartmentiq") -> tuple[Landing, str]:
    """The landing of an undisturbed process, and its log."""
    landing, log = child.finished(CHILD, order(emulator, job_id, path, vendor=vendor), timeout=WAIT)
    return Landing.from_dict(landing), log


def wire(emulator: Emulator, since: int = 0) -> int:
    records = emulator.requests[since:]
    return sum(record.bytes_sent for record in records if record.operation == "store")


@pytest.mark.parametrize(
    ("at", "folder"),
    [(2 * MIB + 1, False), (3 * SIZE // 4 - 7, False), (SIZE - 1, True)],
)
def test_the_next_try_goes_on_where_the_killed_one_was(
    emulator: Emulator, tmp_path: Path, at: int, folder: bool
) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    path = f"{tmp_path}/" if folder else f"{tmp_path}/result.csv"
    durable = killed(emulator, job.id, path, tmp_path, at)
    # The partial and its record, whose next version may have been on its way: nothing that looks like a result.
    left = [name for name in left_in(tmp_path) if not name.endswith(DRAFT)]
    assert [name.startswith(".batchdl/.") for name in left] == [True, True]
    since = len(emulator.requests)
    landing, log = finished(emulator, job.id, path)
    [landed] = landing.files
    assert left_in(tmp_path) == [Path(landed.uri).name]
    content = Path(landed.uri).read_bytes()
    assert hashlib.sha256(content).hexdigest() == landed.sha256 == job.files()[0].sha256
    assert landed.rows == content.count(b"\n") - 1
    assert landing.resumed == 1
    assert SIZE - durable <= wire(emulator, since) <= SIZE - durable + SLACK
    assert f"Resuming the previous try's download at byte {durable}" in log


def test_killed_twice(emulator: Emulator, tmp_path: Path) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    path = f"{tmp_path}/result.csv"
    first = killed(emulator, job.id, path, tmp_path, 4 * MIB)
    # The fault counts the bytes of its own answer, which begins where the first try stopped.
    emulator.add_fault(Fault("stall", operation="store", after_bytes=8 * MIB, seconds=600))
    with running(CHILD, order(emulator, job.id, path)):
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline and (partial(tmp_path) or tmp_path).stat().st_size < first + 5 * MIB:
            time.sleep(0.1)
    since = len(emulator.requests)
    landing, _ = finished(emulator, job.id, path)
    assert landing.files[0].sha256 == job.files()[0].sha256
    assert wire(emulator, since) <= SIZE - first - 5 * MIB + SLACK
    assert left_in(tmp_path) == ["result.csv"]


def test_a_file_that_changed_meanwhile_begins_again(emulator: Emulator, tmp_path: Path) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    old = job.files()[0].sha256
    path = f"{tmp_path}/result.csv"
    killed(emulator, job.id, path, tmp_path, 8 * MIB)
    emulator.add_fault(Fault("changed_file", operation="store"))
    landing, log = finished(emulator, job.id, path)
    content = (tmp_path / "result.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() == landing.files[0].sha256 == job.files()[0].sha256 != old
    assert "restarting from byte 0" in log
    assert landing.resumed == 0
    assert left_in(tmp_path) == ["result.csv"]


@pytest.mark.parametrize("vendor", ["batchcom", "revenuebase"])
def test_what_cannot_be_gone_on_with_begins_again(emulator: Emulator, tmp_path: Path, vendor: str) -> None:
    """Batch.com makes a new file for every link; Revenuebase serves no ranges."""
    kind = "jsonl" if vendor == "batchcom" else "csv"
    job = emulator.add_job(vendor, result=ResultSpec(bytes=SIZE, format=kind), state="succeeded")
    path = f"{tmp_path}/result.{kind}"
    killed(emulator, job.id, path, tmp_path, 8 * MIB, vendor)
    landing, _ = finished(emulator, job.id, path, vendor)
    content = (tmp_path / f"result.{kind}").read_bytes()
    assert hashlib.sha256(content).hexdigest() == landing.files[0].sha256
    assert landing.files[0].sha256 == job.files()[0].sha256
    assert left_in(tmp_path) == [f"result.{kind}"]


def test_what_several_connections_had_is_gone_on_with(emulator: Emulator, tmp_path: Path) -> None:
    size, most = 96 * MIB, 32 * MIB  # what is missing then takes eight connections two seconds: long enough to kill
    emulator.set_speed(4 * MIB)  # of each connection: so several are worth it
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=size, format="csv"), state="succeeded")
    path = f"{tmp_path}/result.csv"
    with running(CHILD, order(emulator, job.id, path)) as process:
        deadline = time.monotonic() + WAIT
        while noted(tmp_path) < most and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.01)
    had = noted(tmp_path)
    assert had >= most
    parts = [record for record in emulator.requests if record.operation == "store" and "range" in record.headers]
    assert len(parts) > 1
    # The partial and its record, whose next version may have been on its way: nothing that looks like a result.
    left = [name for name in left_in(tmp_path) if not name.endswith(DRAFT)]
    assert [name.startswith(".batchdl/.") for name in left] == [True, True]
    since = len(emulator.requests)
    landing, _ = finished(emulator, job.id, path)
    assert landing.files[0].sha256 == job.files()[0].sha256
    assert hashlib.sha256((tmp_path / "result.csv").read_bytes()).hexdigest() == landing.files[0].sha256
    # Beside what is missing, only what is on its way to a connection whose rest another one takes over.
    assert wire(emulator, since) <= size - had // 2
    assert left_in(tmp_path) == ["result.csv"]


@pytest.mark.parametrize("folder", [False, True])
def test_while_a_result_is_replaced(emulator: Emulator, client_for: ClientFor, tmp_path: Path, folder: bool) -> None:
    """Before each change of a name, a kill leaves no manifest or a true one, and the next try leaves the new result."""
    old, new = (
        emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl", parts=parts)) for parts in (3, 1)
    )
    paths = [f"{tmp_path}/{at}/" if folder else f"{tmp_path}/{at}/x.jsonl" for at in range(STEPS)]
    places = [Destination(LocalFileSystem(), path, path) for path in paths]
    for place in places:
        download(client_for("batchcom"), old.id, place)
    mortals = {**order(emulator, new.id, "", vendor="batchcom"), "paths": paths}
    del mortals["path"]
    ended, _ = child.finished(CHILD, mortals, timeout=2 * WAIT)
    statuses: list[int] = ended["statuses"]
    for at, (place, status) in enumerate(zip(places, statuses, strict=True)):
        for manifest in (tmp_path / str(at)).glob("*_manifest.json"):
            for file in Landing.from_dict(json.loads(manifest.read_text())).files:
                assert hashlib.sha256(Path(file.uri).read_bytes()).hexdigest() == file.sha256
        landing = download(client_for("batchcom"), new.id, place)
        assert left_in(tmp_path / str(at)) == [Path(landing.files[0].uri).name]
        assert status in (0, signal.SIGKILL)
    first = statuses.index(0)
    assert first >= 6
    assert set(statuses[first:]) == {0}
