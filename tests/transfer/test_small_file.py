"""What a small result costs beside its bytes: calls of the disk, and work that is done once for each file."""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.transfer.job_download import download
from tests.transfer.conftest import ClientFor, local


def calls_of(work: Callable[[], object]) -> Counter[str]:
    """How often ``work`` calls each function, by name; built-ins as ``posix.rmdir``."""
    profile = cProfile.Profile()
    profile.runcall(work)
    found: Counter[str] = Counter()
    for (_, _, name), (_, calls, *_) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        found[name.removeprefix("<built-in method ").removesuffix(">")] += calls
    return found


def test_a_small_file_costs_few_calls_of_the_disk(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    job = emulator.add_job("revenuebase", result=ResultSpec(bytes=10_000), state="succeeded")
    client = client_for("revenuebase")
    download(client, job.id, local(tmp_path / "first.csv"))  # imports, and opens the connection
    calls = calls_of(lambda: download(client, job.id, local(tmp_path / "second.csv")))
    assert (tmp_path / "second.csv").stat().st_size
    once = ("posix.mkdir", "posix.rmdir", "posix.replace")
    assert {name: calls[name] for name in once} == dict.fromkeys(once, 1)
    assert calls["posix.fsync"] == 2  # the file, and its name
    # Whether the target can be replaced, before the request, before the first byte and before the rename.
    assert calls["posix.stat"] == 3
    # The partial's folder, the partial itself and that it is still there before its rename, the manifest that would be
    # replaced, and what was being removed.
    assert calls["posix.lstat"] == 5


def test_a_small_file_is_named_keyed_and_recorded_once(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    job = emulator.add_job("revenuebase", result=ResultSpec(bytes=10_000), state="succeeded")
    client = client_for("revenuebase")
    download(client, job.id, local(tmp_path / "first.csv"))
    calls = calls_of(lambda: download(client, job.id, local(tmp_path / "second.csv")))
    assert calls["safe_filename"] == 1
    assert calls["landing_of"] == 1
    assert calls["_strip_protocol"] == 0  # an absolute path has no protocol
