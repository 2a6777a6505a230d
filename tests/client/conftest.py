from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_batchdl.client import aio, policy, sync
from airflow_provider_batchdl.client.throttle import Throttle
from tests.client.helpers import Face, Waits
from tests.support.fixtures import forget_process_state


# Both clients have one conversation (client/conversation.py): what is about its words needs only one of them. Modules
# about how each sends, receives and signs have `both_faces` of the helpers instead.
@pytest.fixture(params=["sync"])
def face(request: pytest.FixtureRequest) -> Face:
    """A client."""
    return Face(request.param)


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    path = tmp_path / "my contacts.csv"
    path.write_text("email\na@b.example\nc@d.example\n")
    return path


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """No token and no used-up limit of another test's."""
    forget_process_state()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Nobody waits between attempts or polls; what would have been waited for is noted."""
    noted = Waits()

    def backoff(attempt: int, retry_after: float | None = None) -> float:
        noted.backoffs.append((attempt, retry_after))
        return 0.0

    async def asleep(seconds: float) -> None:
        noted.delays.append(seconds)

    def hold(_: Throttle, seconds: float) -> None:
        noted.holds.append(seconds)

    monkeypatch.setattr(policy, "backoff", backoff)
    monkeypatch.setattr(Throttle, "hold", hold)
    monkeypatch.setattr(sync, "time", SimpleNamespace(sleep=noted.delays.append))
    monkeypatch.setattr(aio, "asyncio", SimpleNamespace(sleep=asleep))
    return noted
