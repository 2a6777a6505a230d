"""Where a command's output goes to a pipe that closes, a terminal that knows few letters, or nowhere."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from tests.cli.conftest import Ended
from tests.support.airflow_features import needs_provider_commands
from tests.support.airflow_jobs import count

Batchdl = Callable[..., Ended]
pytestmark = needs_provider_commands


def writer(monkeypatch: pytest.MonkeyPatch, raw: Any, encoding: str) -> io.TextIOWrapper:
    """Standard output with an encoding of its own, as strict as Python makes it."""
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    return stream


@pytest.mark.parametrize(
    "command", [["check", "--explain", "proofy_default"], ["jobs", "-c", "apartmentiq_default", "-o", "json"]]
)
def test_a_reader_that_has_seen_enough(
    batchdl: Batchdl, connections: Emulator, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    for _ in range(200):
        connections.add_job("apartmentiq", state="running")
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb", buffering=0) as pipe, writer(monkeypatch, pipe, "utf-8"):  # noqa: PTH123 a descriptor
        ended = batchdl(*command)
        monkeypatch.undo()
    assert (ended.code, ended.err) == (1, "")


@pytest.mark.parametrize("output", ["json", "table", "yaml", "plain"])
def test_letters_that_the_terminal_lacks(
    batchdl: Batchdl, connections: Emulator, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """A command may have cancelled, or paid for, something by then: to end with a traceback would hide that."""
    job = connections.add_job("apartmentiq", state="running")
    job.fail("prêt à 90 %, 完了")
    raw = io.BytesIO()
    stream = writer(monkeypatch, raw, "ascii")
    ended = batchdl("job", "-c", "apartmentiq_default", job.id, "-o", output)
    stream.flush()
    assert (ended.code, ended.err) == (0, "")
    assert job.id[:8].encode() in raw.getvalue()
    assert re.search(rb"pr\\(x|u00)ea", raw.getvalue(), re.IGNORECASE)


@pytest.mark.parametrize("command", [["check", "--explain", "proofy_default"], ["balance", "-c", "proofy_default"]])
def test_no_output_at_all(
    batchdl: Batchdl, connections: Emulator, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Where the shell closed it (``>&-``), Python has none."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert batchdl(*command).code == 0
    assert count(connections, "balance") == 1


def test_an_error_without_a_place_to_say_it(
    batchdl: Batchdl, connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert batchdl("jobs", "-c", "proofy_default").code == 1
