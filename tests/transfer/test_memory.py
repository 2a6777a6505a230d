"""Memory does not grow with the file: measured in a process of its own, at half a GiB, or ``BATCHDL_MEMORY_GIB``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from tests.support.child import finished, order
from tests.support.seaweedfs import S3Store

MIB = 2**20
LINE = 64 * MIB
SIZE = int(float(os.environ.get("BATCHDL_MEMORY_GIB", "0.5")) * 2**30)

pytestmark = [
    pytest.mark.big,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc to measure the peak"),
]


def measured(emulator: Emulator, path: str, s3: dict[str, Any] | None) -> dict[str, Any]:
    """What a child process says of landing ``SIZE`` bytes at ``path``."""
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    # One connection: on a busy machine the source looks slow, and several hold pieces of 4 MiB each that wait.
    told = order(emulator, job.id, path, s3=s3, options={"max_connections": 1})
    result, _ = finished("tests.transfer.memory_child", told, timeout=1500)
    assert result["landing"]["bytes"] == SIZE
    assert result["landing"]["files"][0]["sha256"] == job.files()[0].sha256
    over, base = result["over"] / MIB, result["before"] / MIB
    print(f"{SIZE / 2**30:g} GiB to {path}: {over:.1f} MiB over {base:.0f} MiB")  # noqa: T201 pytest -rP shows it
    return result


def test_a_large_result_lands_on_disk_in_little_memory(emulator: Emulator, tmp_path: Path) -> None:
    target = tmp_path / "result.csv"
    result = measured(emulator, str(target), None)
    assert target.stat().st_size == SIZE
    target.unlink()
    assert result["over"] <= LINE


def test_a_large_result_lands_on_s3_in_little_memory(emulator: Emulator, s3_store: S3Store) -> None:
    client = s3_store.client()
    client.create_bucket(Bucket="memory")
    settings = {
        "endpoint_url": s3_store.endpoint_url,
        "key": s3_store.access_key,
        "secret": s3_store.secret_key,
    }
    result = measured(emulator, "memory/result.csv", settings)
    assert client.head_object(Bucket="memory", Key="result.csv")["ContentLength"] == SIZE
    assert client.list_multipart_uploads(Bucket="memory").get("Uploads", []) == []
    client.delete_object(Bucket="memory", Key="result.csv")
    client.close()
    assert result["over"] <= LINE
