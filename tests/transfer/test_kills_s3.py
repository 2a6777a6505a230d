"""A worker killed with SIGKILL while it uploads to S3, and what the next try makes of what it left. Real processes."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.jobs import Landing
from tests.support import child
from tests.support.child import order, running
from tests.support.s3_bucket import Bucket, fresh_bucket
from tests.support.seaweedfs import S3Store

MIB = 1 << 20
BLOCK = 5 * MIB
EVERY = 10 * MIB
SIZE = 45 * MIB
# Parts are noted once the store has them: two can be under way, one is being filled, and a reader holds some more.
BEHIND = EVERY + 3 * BLOCK + 2 * MIB
WAIT = 100.0
CHILD = "tests.transfer.s3_kill_child"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


def told(emulator: Emulator, bucket: Bucket, job_id: str, path: str) -> dict[str, Any]:
    store = bucket.store
    return order(
        emulator, job_id, f"{bucket.name}/{path}",
        endpoint=store.endpoint_url, key=store.access_key, secret=store.secret_key, block=BLOCK, every=EVERY,
    )  # fmt: skip


def note(bucket: Bucket) -> Any:
    there = bucket.keys()
    return json.loads(bucket.read(there[0])) if there and there[0].endswith(".part.json") else None


def killed(emulator: Emulator, bucket: Bucket, job_id: str, path: str, *, after: int, noted: int) -> int:
    """Kill a download while the source is silent after `after` bytes of its answer.

    Returns:
        The byte that was noted, at least: the store may still get the next note, which was on its way.
    """
    emulator.add_fault(Fault("stall", operation="store", after_bytes=after, seconds=600))
    with running(CHILD, told(emulator, bucket, job_id, path)) as process:
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()[1]
            found = note(bucket)
            if found and found["parts"] * BLOCK >= noted:
                break
            time.sleep(0.1)
    found = note(bucket)
    assert found is not None
    assert len(bucket.open_uploads()) == 1
    offset = int(found["parts"]) * BLOCK
    assert offset >= noted
    return offset


def finished(emulator: Emulator, bucket: Bucket, job_id: str, path: str) -> tuple[Landing, str]:
    """The landing of an undisturbed process, and its log."""
    landing, log = child.finished(CHILD, told(emulator, bucket, job_id, path), timeout=WAIT)
    return Landing.from_dict(landing), log


def wire(emulator: Emulator, since: int) -> int:
    return sum(record.bytes_sent for record in emulator.requests[since:] if record.operation == "store")


@pytest.mark.parametrize(("at", "folder"), [(BEHIND + MIB, False), (SIZE - 1, True)])
def test_the_next_try_goes_on_after_the_last_checkpoint(
    emulator: Emulator, bucket: Bucket, at: int, folder: bool
) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    path = "landed/" if folder else "landed/result.csv"
    noted = killed(emulator, bucket, job.id, path, after=at, noted=at - BEHIND)
    [note_key] = bucket.keys()  # nothing that looks like a result
    assert note_key.startswith("landed/.batchdl/.upload.")
    since = len(emulator.requests)
    landing, log = finished(emulator, bucket, job.id, path)
    [landed] = landing.files
    content = bucket.read(landed.uri.split("/", 3)[3])
    assert hashlib.sha256(content).hexdigest() == job.files()[0].sha256
    assert (landed.sha256, landed.rows) == (None, None)
    [resumed_at] = re.findall(r"Resuming the previous try's download at byte (\d+)", log)
    offset = int(resumed_at)
    assert noted <= offset <= at
    assert f"No sha256 and no rows of this file: another process read its first {offset} bytes" in log
    assert landed.verified_by == ("content-length", "store-checksum")
    assert landing.resumed == 1
    assert SIZE - offset <= wire(emulator, since) <= SIZE - offset + 64 * 1024
    assert bucket.keys() == [landed.uri.split("/", 3)[3]]
    assert bucket.open_uploads() == []


def test_killed_before_the_first_checkpoint(emulator: Emulator, bucket: Bucket) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    assert killed(emulator, bucket, job.id, "landed/result.csv", after=BLOCK + MIB, noted=0) == 0
    landing, _ = finished(emulator, bucket, job.id, "landed/result.csv")
    assert landing.files[0].sha256 == job.files()[0].sha256
    assert bucket.keys() == ["landed/result.csv"]
    assert bucket.open_uploads() == []


def test_a_file_that_changed_meanwhile_begins_again(emulator: Emulator, bucket: Bucket) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    old = job.files()[0].sha256
    killed(emulator, bucket, job.id, "landed/result.csv", after=SIZE - 1, noted=EVERY)
    emulator.add_fault(Fault("changed_file", operation="store"))
    landing, log = finished(emulator, bucket, job.id, "landed/result.csv")
    content = bucket.read("landed/result.csv")
    assert hashlib.sha256(content).hexdigest() == landing.files[0].sha256 == job.files()[0].sha256 != old
    assert "restarting from byte 0" in log
    assert bucket.keys() == ["landed/result.csv"]
    assert bucket.open_uploads() == []


def test_who_requires_a_sha256_restarts_what_another_process_began(emulator: Emulator, bucket: Bucket) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    killed(emulator, bucket, job.id, "landed/result.csv", after=SIZE - 1, noted=EVERY)
    landing, log = child.finished(
        CHILD, {**told(emulator, bucket, job.id, "landed/result.csv"), "sha256": "required"}, timeout=WAIT
    )
    [landed] = Landing.from_dict(landing).files
    assert landed.sha256 == job.files()[0].sha256
    assert landed.rows is not None
    assert 'sha256="required", and another process read the first bytes); restarting from byte 0' in log
    assert bucket.keys() == ["landed/result.csv"]
    assert bucket.open_uploads() == []


def test_an_upload_whose_source_declares_hashes_alone_is_not_resumed(emulator: Emulator, bucket: Bucket) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    job.declares_checksums = True
    assert killed(emulator, bucket, job.id, "landed/result.csv", after=SIZE - 1, noted=0) == 0
    landing, _ = finished(emulator, bucket, job.id, "landed/result.csv")
    [landed] = landing.files
    assert landed.sha256 == job.files()[0].sha256
    assert {"md5", "sha256", "store-checksum"} <= set(landed.verified_by)
    assert bucket.open_uploads() == []
