"""Whatever is typed, a command ends with an exit code and a line, and never with a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator
from tests.cli.conftest import Ended
from tests.support.airflow_features import needs_provider_commands

Batchdl = Callable[..., Ended]
pytestmark = needs_provider_commands

ODD = [
    "",
    " ",
    "a\nb",
    "../..",
    "\udcff",
    "x" * 5000,
    "{}",
    "[1, 2]",
    "none",
    "é",
    "%2e%2e",
    "?api_key=1",
]
CONN = ["-c", "apartmentiq_default"]
COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "jobs": lambda odd: ["jobs", f"--conn-id={odd}"],
    "job": lambda odd: ["job", *CONN, "--", odd],
    "cancel": lambda odd: ["cancel", *CONN, "--", odd],
    "balance": lambda odd: ["balance", f"--conn-id={odd}"],
    "download of": lambda odd: ["download", *CONN, "--", odd, "/tmp/out/"],
    "download to": lambda odd: ["download", *CONN, "--", "7", odd],
    "check": lambda odd: ["check", f"--conn-id={odd}"],
    "explain": lambda odd: ["check", f"--explain={odd}"],
    "vendor check": lambda odd: ["vendor", "check", "--", odd],
    "vendor check with": lambda odd: ["vendor", "check", "shopify", f"--connection={odd}"],
    "vendor new": lambda odd: ["vendor", "new", "--", odd],
    "vendor new file": lambda odd: ["vendor", "new", "--", f"{odd}/acme.toml"],
    "vendor try": lambda odd: ["vendor", "try", "--connection=proofy_default", "--", odd],
    "request": lambda odd: ["vendor", "try", "shopify", "--connection=proofy_default", f"--request={odd}"],
    "file": lambda odd: ["vendor", "try", "shopify", "--connection=proofy_default", f"--file={odd}"],
    "job id": lambda odd: ["vendor", "try", "shopify", "--connection=proofy_default", f"--job-id={odd}"],
    "destination": lambda odd: ["vendor", "try", "shopify", "--connection=proofy_default", f"--destination={odd}"],
    "state": lambda odd: ["jobs", *CONN, f"--state={odd}"],
    "connections": lambda odd: ["download", *CONN, "7", "/tmp/out/", f"--max-connections={odd}"],
    "output": lambda odd: ["jobs", *CONN, f"--output={odd}"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_no_command_ends_with_a_traceback(
    batchdl: Batchdl,
    connections: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[[str], list[str]],
) -> None:
    monkeypatch.chdir(tmp_path)
    for odd in ODD:
        ended = batchdl(*command(odd))
        assert ended.code in (0, 1, 2, 75), odd
        assert "Traceback" not in ended.err, odd
        assert ended.out + ended.err, odd
