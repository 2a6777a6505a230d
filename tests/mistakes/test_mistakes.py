"""Every mistake of the lists is made against the emulator: its message, class and time, and that it cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator
from tests.cli.conftest import Ended, batchdl
from tests.mistakes import BUTTON, CHECK, COMMAND, Mistake
from tests.mistakes.desk import Desk
from tests.mistakes.page import AREAS, PATH, rendered
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_provider_commands
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count
from tests.support.leaks import find_secrets

__all__ = ["batchdl"]

MISTAKES = [
    pytest.param(
        each,
        id=f"{area}-{each.did}".replace(" ", "_"),
        marks=[needs_provider_commands] if each.when in (CHECK, COMMAND) else [],
    )
    for area, mistakes in AREAS.items()
    for each in mistakes
]


@pytest.fixture
def desk(
    connections: Emulator,
    api: ExecutionApi,
    polls: Polls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    batchdl: Callable[..., Ended],
    caplog: pytest.LogCaptureFixture,
) -> Desk:
    api.should_retry = False
    return Desk(connections, api, tmp_path, monkeypatch, batchdl, caplog)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_remedy_before_it_costs_anything(desk: Desk, mistake: Mistake) -> None:
    shown = mistake.drive(desk)
    assert mistake.when in shown.times
    text = shown.text
    if mistake.kind is None:
        assert not shown.text
        text = shown.warnings
    elif mistake.when not in (BUTTON, CHECK, COMMAND):
        assert type(shown.error) is mistake.kind
    elif mistake.when is COMMAND:
        assert mistake.kind.__name__ in text
    assert mistake.is_said_in(text), text
    assert not find_secrets(text)
    if not mistake.when.submits:
        assert count(desk.emulator, "submit") == 0
    if mistake.kind is not None and mistake.when is not COMMAND:
        assert "\n" not in text


def test_the_page_has_them_all() -> None:
    assert PATH.read_text() == rendered(), "write it again: make mistakes"


def test_each_is_told_once() -> None:
    told = [mistake.did for mistakes in AREAS.values() for mistake in mistakes]
    assert len(set(told)) == len(told)


def test_check_finds_what_the_button_finds() -> None:
    mistakes = [mistake for area in AREAS.values() for mistake in area]
    found = {when: {(each.says, each.remedy) for each in mistakes if each.when is when} for when in (BUTTON, CHECK)}
    assert found[BUTTON] <= found[CHECK]
