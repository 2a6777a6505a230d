"""`airflow batchdl check --explain`: all about one connection, to be pasted into an issue."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.vendors.guesses import GUESSES
from tests.cli.conftest import Ended
from tests.support.airflow_features import needs_provider_commands
from tests.support.airflow_jobs import VENDORS

Batchdl = Callable[..., Ended]
pytestmark = needs_provider_commands


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_connection_that_works(batchdl: Batchdl, connections: Emulator, vendor: str) -> None:
    connections.add_job(vendor)
    ended = batchdl("check", "--explain", f"{vendor}_default")
    assert ended.code == 0, ended.out + ended.err
    account = connections.credentials[vendor]
    for secret in (account.password, account.login, *account.extra.values()):
        assert not secret or secret not in ended.out
    lines = ended.out.splitlines()
    assert lines[0].startswith("airflow-provider-batchdl ")
    assert f"  password       set, {len(account.password)} characters" in lines
    assert f"  to             {connections.urls[vendor]}" in lines
    assert "  by proxy       none" in ended.out
    asked = [line for line in lines if ": 200 in " in line]
    assert len(asked) == len(connections.requests)
    assert "confirmed" in ended.out
    # The vendor's document shows the scope `api`; a third party was asked for another.
    assert ended.out.count("refuted") == (vendor == "apartmentiq")
    assert ended.out.count("inferred") + ended.out.count("reported") == len(GUESSES[vendor])
    assert lines[-1].startswith("  ok ")


def test_a_refused_key_tells_what_errors_are_like(
    batchdl: Batchdl, connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = {**connections.connections()["apartmentiq_default"], "password": "aiq_not_the_secret"}
    monkeypatch.setenv("AIRFLOW_CONN_APARTMENTIQ_DEFAULT", json.dumps(value))
    ended = batchdl("check", "--explain", "apartmentiq_default")
    assert ended.code == 1
    assert ": 401 in " in ended.out
    assert "  confirmed      a refused client is an `error` of RFC 6749" in ended.out
    assert "  not seen       jobs that have ended stay in the list" in ended.out
    assert "  failed         AuthenticationError: " in ended.out
    assert "aiq_not_the_secret" not in ended.out


def test_a_guess_that_is_wrong(batchdl: Batchdl, connections: Emulator) -> None:
    connections.add_fault(Fault("status", operation="balance", status=404))
    ended = batchdl("check", "--explain", "proofy_default")
    assert "  refuted        GET /credits answers `credits`, a number (reported by a third party)" in ended.out
    assert ended.code == 1


def test_a_field_that_is_wrong_is_asked_about_nobody(
    batchdl: Batchdl, connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is told by its length alone, since a secret may be in the wrong field."""
    value = {
        "conn_type": "proofy",
        "login": "hunter2-0815",
        "host": "https://me:hunter2@h",
        "extra": {"key": "hunter2"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(value))
    ended = batchdl("check", "--explain", "mine")
    assert ended.code == 1
    assert "hunter2" not in ended.out
    assert "  host           set, 20 characters" in ended.out
    assert "  extra key      set, 7 characters" in ended.out
    assert "InvalidConnectionError: The host of Airflow connection 'mine' has an '@' in it" in ended.out
    assert not connections.requests


def test_a_proxy_and_what_is_ignored(batchdl: Batchdl, connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    value = {**connections.connections()["proofy_default"], "extra": {"team": "data"}}
    value["host"] = value["host"].replace("127.0.0.1", "proofy.invalid")
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(value))
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://me:hunter2@127.0.0.1:9")
    ended = batchdl("check", "--explain", "mine")
    assert "  by proxy       http://***@127.0.0.1:9 (HTTP_PROXY)" in ended.out
    assert "  ignoring       the extra's team" in ended.out
    assert ": no answer in " in ended.out
    assert "hunter2" not in ended.out


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers or {})


@pytest.mark.parametrize(
    ("vendor", "index", "response", "verdict"),
    [
        ("revenuebase", 0, answer(400, {"error": "x"}), False),
        ("revenuebase", 0, answer(200, {}), None),
        ("revenuebase", 1, answer(200, {"processes": [], "next": 2}), False),
        ("revenuebase", 2, answer(200, {}), False),
        ("proofy", 0, answer(200, {"credits": "12"}), False),
        ("proofy", 0, answer(401, {}), None),
        ("proofy", 1, answer(200, {"error": True}), True),
        ("proofy", 1, answer(200, []), None),
        ("batchcom", 1, answer(200, {"exports": [{"requested_at": "x"}]}), False),
        ("batchcom", 1, answer(200, {"exports": []}), None),
        ("batchcom", 2, answer(401, {"error_code": "NEW_CODE", "error_message": ""}), False),
        ("batchcom", 3, answer(200, {}, {"X-RateLimit-Limit": "1"}), False),
        ("apartmentiq", 0, answer(200, {"jobs": [{"status": "submitted"}]}), None),
        ("apartmentiq", 1, answer(200, {}, {"X-RateLimit-Limit": "250"}), False),
        ("apartmentiq", 2, answer(200, {"scope": "api"}), False),
        ("apartmentiq", 3, answer(401, {"message": "no"}), False),
    ],
)
def test_what_an_answer_says_of_a_guess(
    vendor: str, index: int, response: httpx.Response, verdict: bool | None
) -> None:
    guess = GUESSES[vendor][index]
    assert guess.verdict(f"/base{guess.path}", response) is verdict
    if guess.path:
        assert guess.verdict("/elsewhere", response) is None
