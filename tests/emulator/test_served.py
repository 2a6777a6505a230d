"""How results are served where no fault strikes: speed, checksums, and what is noted about it."""

from __future__ import annotations

import contextlib
import time
from types import SimpleNamespace

import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault, ResultSpec, wire

from .helpers import link_of, raw_get

SIZE = 300_000


@pytest.fixture
def job(emulator: Emulator) -> EmulatedJob:
    return emulator.add_job("apartmentiq", ResultSpec(bytes=SIZE))


def test_each_connection_keeps_to_its_speed(emulator: Emulator, job: EmulatedJob) -> None:
    link, speed = link_of(emulator, job), 1_000_000
    emulator.set_speed(speed)
    emulator.add_fault(Fault("chunked_eof", operation="store", after_bytes=SIZE))
    for _ in range(2):  # harmed, and not
        began = time.monotonic()
        raw_get(link)
        assert time.monotonic() - began >= 0.9 * (SIZE / speed)  # a busy machine makes it longer, nothing shorter
        assert emulator.requests[-1].bytes_sent == SIZE


def test_a_pause_is_not_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for a second, or a client that does not read, is sent no second's bytes at once."""
    now, waits = 100.0, list[float]()

    async def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    monkeypatch.setattr(wire, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(wire, "asyncio", SimpleNamespace(sleep=sleep))
    pace = wire._Pace(1000)
    for pause in (0, 0, 10, 0, 0):
        now += pause
        with contextlib.suppress(StopIteration):
            pace.keep(50).send(None)
    assert waits == pytest.approx([0.05, 0.05, 0.0, 0.05, 0.05])


def test_the_record_tells_when_an_answer_was_over(emulator: Emulator, job: EmulatedJob) -> None:
    raw_get(link_of(emulator, job))
    deadline = time.monotonic() + 5
    while not emulator.requests[-1].ended and time.monotonic() < deadline:
        time.sleep(0.01)  # the last byte may be here before the server has noted that it was
    record = emulator.requests[-1]
    assert record.ended == record.time > 0  # this clock stands still


def test_checksums_can_come_with_every_answer(emulator: Emulator, job: EmulatedJob) -> None:
    link = link_of(emulator, job)
    assert "content-md5" not in raw_get(link).headers
    job.declares_checksums = True
    assert "content-md5" in raw_get(link).headers
    assert "x-amz-checksum-sha256" in raw_get(link, {"Range": "bytes=1-"}).headers


def test_a_bit_may_be_counted_from_where_the_answer_begins(emulator: Emulator, job: EmulatedJob) -> None:
    link = link_of(emulator, job)
    whole = b"".join(job.content().chunks())
    emulator.add_fault(Fault("bitflip", operation="store", after_bytes=7))
    answer = raw_get(link, {"Range": "bytes=1000-"})
    assert [n for n in range(SIZE - 1000) if answer.body[n] != whole[1000 + n]] == [7]


def test_a_fault_is_unused_until_it_harms(emulator: Emulator, job: EmulatedJob) -> None:
    link = link_of(emulator, job)
    fault = Fault("status", operation="store", after=1, times=2)
    emulator.add_fault(fault)
    raw_get(link)
    assert emulator.unused_faults == [fault]
    raw_get(link)
    assert emulator.unused_faults == []
