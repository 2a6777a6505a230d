"""How triggers ask the triggerer's supervisor: not waiting for it on the loop, nor by threads that it mixes up."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, MaskSecret

from airflow_provider_batchdl._redaction import redactor
from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.hooks.base import BatchApiHook
from tests.support.airflow_features import MASKS_ON_THE_LOOP, SUPERVISOR_BEARS_THREADS
from tests.triggers.waiting import patience, until


class TriggerCommsDecoder:
    """Takes the place of Airflow's own of that name; knows no Airflow connection, and remembers what it was told."""

    def __init__(self) -> None:
        self.asked_by_threads: list[Any] = []
        self.asked_on_the_loop: list[Any] = []
        self.masked: set[Any] = set()

    def send(self, msg: Any) -> ErrorResponse:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.asked_by_threads.append(msg)
            return self._answer(msg)
        self.asked_on_the_loop.append(msg)
        # The words of asgiref, which Airflow's own goes through before 3.2.2, and which it looks at.
        raise RuntimeError("You cannot use AsyncToSync in the same thread as an async event loop")

    async def asend(self, msg: Any) -> ErrorResponse:
        return self._answer(msg)

    def _answer(self, msg: Any) -> ErrorResponse:
        if isinstance(msg, MaskSecret):
            self.masked.add(str(msg.value))
            return ErrorResponse()
        return ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND, detail={"conn_id": msg.conn_id})

    def assert_asked_as_it_bears(self) -> None:
        """Blocking calls come from threads, or, before Airflow 3.2.2, never from them: two at once end a triggerer."""
        assert SUPERVISOR_BEARS_THREADS or not self.asked_by_threads
        assert MASKS_ON_THE_LOOP or not self.asked_on_the_loop


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> TriggerCommsDecoder:
    made = TriggerCommsDecoder()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", made, raising=False)
    monkeypatch.setattr(redactor, "_known", {})  # a process tells each secret once
    return made


def test_secrets_are_told(connections: Emulator, supervisor: TriggerCommsDecoder) -> None:
    """A connection's, and a token that is learned on the way: Airflow masks them in the trigger's log, too."""
    key = json.loads(os.environ["AIRFLOW_CONN_APARTMENTIQ_DEFAULT"])["password"]

    async def poll() -> None:
        async with BatchApiHook("apartmentiq_default") as hook:
            await hook.atest_connection()
        async with patience():
            await until(lambda: set(redactor._known) <= supervisor.masked)

    asyncio.run(poll())
    assert key in supervisor.masked
    assert set(redactor._known) <= supervisor.masked
    supervisor.assert_asked_as_it_bears()


def test_a_connection_that_is_not_there(supervisor: TriggerCommsDecoder) -> None:
    with pytest.raises(Exception, match="nobody_knows_it"):
        asyncio.run(BatchApiHook("nobody_knows_it").aget_job("1"))
    supervisor.assert_asked_as_it_bears()
