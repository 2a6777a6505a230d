"""A worker that lands a result in Google Cloud Storage: killed, it leaves nothing visible; it needs little memory."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.emulator import Fault as VendorFault
from tests.support.child import finished, order, running
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import GcsStore
from tests.transfer.sinks.gcs.objects import MIB

CHILD = "tests.transfer.gcs_child"


def order_to_land(emulator: Emulator, job_id: str, bucket: GcsBucket) -> dict[str, Any]:
    """The order to land the job's result at `x`."""
    return order(emulator, job_id, f"{bucket.name}/x", endpoint_url=bucket.endpoint_url)


def test_a_killed_worker_leaves_nothing_visible(emulator: Emulator, bucket: GcsBucket, server: GcsStore) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=24 * MIB, format="csv"), state="succeeded")
    emulator.add_fault(VendorFault(operation="store", kind="stall", after_bytes=20 * MIB, seconds=60, times=9))
    with running(CHILD, order_to_land(emulator, job.id, bucket)) as process:
        deadline = time.monotonic() + 120
        while server.calls.count("chunk") < 2 and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.02)
    assert server.calls.count("chunk") == 2
    assert bucket.keys() == []
    assert server.open_sessions() == ["x"]  # which the store forgets after a week
    emulator.clear_faults()
    result, _ = finished(CHILD, order_to_land(emulator, job.id, bucket), timeout=120)
    assert result["landing"]["bytes"] == 24 * MIB
    assert hashlib.sha256(bucket.read("x")).hexdigest() == job.files()[0].sha256


@pytest.mark.big
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc to measure the peak")
def test_a_large_result_lands_in_little_memory(emulator: Emulator, bucket: GcsBucket) -> None:
    size = 256 * MIB
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=size, format="csv"), state="succeeded")
    result, _ = finished(CHILD, order_to_land(emulator, job.id, bucket), timeout=280)
    assert result["landing"]["files"][0]["sha256"] == job.files()[0].sha256
    assert bucket.resource("x")["size"] == str(size)
    print(f"256 MiB to Google Cloud Storage: {result['over'] / MIB:.1f} MiB over")  # noqa: T201 pytest -rP shows it
    assert result["over"] <= 64 * MIB
