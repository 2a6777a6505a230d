"""A user's desk: connections, tasks, the Test button and commands, over the emulator and Airflow's task runner."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from tests.mistakes import BEFORE_SUBMIT, BUTTON, CHECK, COMMAND, ENDED, PARSE, REFUSED, When
from tests.support.airflow_jobs import work

if TYPE_CHECKING:
    from tests.cli.conftest import Ended
    from tests.support.airflow_api import ExecutionApi, Outcome

UPSTREAM = object()
"""Stands for the output of a task, where a task is mapped over it."""


@dataclass(frozen=True)
class Shown:
    """What the user is shown.

    Attributes:
        times: the times at which it may have shown, by the way that it did.
        text: the error's text, or what was printed; empty where nothing was wrong.
        error: the error, where there is one at hand: of a task, the typed one.
        warnings: what was logged as a warning.
    """

    times: tuple[When, ...]
    text: str
    error: BaseException | None = None
    warnings: str = ""


@dataclass(frozen=True)
class Desk:
    """What the mistakes are made with.

    Attributes:
        emulator: the vendors; Airflow's connections `<vendor>_default` lead to it.
        api: runs tasks by Airflow's task runner.
        folder: an empty folder for files and results.
        monkeypatch: for environment variables; undone at the end.
        batchdl: runs ``airflow batchdl …``.
        caplog: what is logged.
    """

    emulator: Emulator
    api: ExecutionApi
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    batchdl: Callable[..., Ended]
    caplog: pytest.LogCaptureFixture

    # What is set up before.

    def connect(self, vendor: str = "revenuebase", **members: Any) -> Desk:
        """Change members of a vendor's connection; a dict for its extra is merged in, None takes a member away."""
        name = f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"
        value = json.loads(os.environ[name])
        extra = members.pop("extra", {})
        value["extra"] = _without_none({**value["extra"], **extra}) if isinstance(extra, dict) else extra
        self.monkeypatch.setenv(name, json.dumps(_without_none({**value, **members})))
        return self

    def connect_by(self, text: str, conn_id: str = "revenuebase_default") -> Desk:
        """Make a connection of a text as it is: a URI, or JSON."""
        self.monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", text)
        return self

    def environment(self, **variables: str) -> Desk:
        """Set environment variables."""
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)
        return self

    # What the user does.

    def parse(self, operator: Any = BatchJobOperator, vendor: str = "revenuebase", **arguments: Any) -> Shown:
        """Write a task into a DAG; arguments as for :meth:`run`."""
        try:
            with DAG("parsed", schedule=None):
                self._make(operator, vendor, arguments)()
        except Exception as error:  # noqa: BLE001 the test says of which class it must be
            return Shown((PARSE,), str(error), error)
        return Shown((PARSE,), "")

    def run(self, operator: type = BatchJobOperator, vendor: str = "revenuebase", **arguments: Any) -> Shown:
        """Run a task up to its end, with no retries.

        Args:
            operator: its class.
            vendor: whose small job it submits, where the operator submits.
            arguments: further or other arguments of the operator; None takes one away.
        """
        return self._shown(self.api.run_to_end(self._make(operator, vendor, arguments)))

    def _shown(self, outcome: Outcome) -> Shown:
        error = outcome.error
        typed = error if isinstance(error, BatchDlError) else outcome.cause or error
        warned = [each.getMessage() for each in self.caplog.records if each.levelno == logging.WARNING]
        return Shown((BEFORE_SUBMIT, REFUSED, ENDED), "" if error is None else str(error), typed, "\n".join(warned))

    def parse_mapped(
        self, over: Any, operator: Any = BatchJobOperator, vendor: str = "revenuebase", **more: Any
    ) -> Shown:
        """Write a mapped task into a DAG; arguments as for :meth:`run_mapped`."""
        try:
            with DAG("parsed", schedule=None):
                self._make_mapped(operator, vendor, over, more)()
        except Exception as error:  # noqa: BLE001 the test says of which class it must be
            return Shown((PARSE,), str(error), error)
        return Shown((PARSE,), "")

    def run_mapped(
        self, over: Any, operator: Any = BatchJobOperator, vendor: str = "revenuebase", members: int = 1, **more: Any
    ) -> Shown:
        """Run the first members of a mapped task, one after another, with no retries.

        Args:
            over: what ``expand()`` takes, by name, or the list that ``expand_kwargs()`` takes. The value `UPSTREAM`
                stands for what the task ``upstream`` has returned, which is to be put into Airflow before.
            operator: the task's class.
            vendor: whose small job it submits, where the operator submits.
            members: how many.
            more: further or other arguments of ``partial()``; None takes one away.
        """
        make = self._make_mapped(operator, vendor, over, more)
        return self._shown([self.api.run_to_end(make, map_index=index) for index in range(members)][-1])

    def press_test(self, vendor: str = "revenuebase") -> Shown:
        """Press the Test button of a vendor's connection."""
        from airflow.models import Connection

        connection = Connection.get_connection_from_secrets(f"{vendor}_default")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "ProvidersManager")  # Airflow deprecates what it uses itself
            accepted, message = connection.test_connection()  # type: ignore[no-untyped-call]
        return Shown((BUTTON,), "" if accepted else message)

    def check(self, vendor: str = "revenuebase", conn_id: str | None = None) -> Shown:
        """Have ``airflow batchdl check`` test a connection, and explain it, which must come to the same."""
        conn_id = conn_id or f"{vendor}_default"
        tested = self.batchdl("check", "-c", conn_id, "-o", "json")
        explained = self.batchdl("check", "--explain", conn_id)
        [row] = json.loads(tested.out)
        text = row["message"] if row["status"] == "failed" else ""
        assert tested.code == explained.code == (1 if text else 0)
        assert text in " ".join(explained.out.split())
        return Shown((CHECK,), text)

    def command(self, *arguments: str) -> Shown:
        """Run ``airflow batchdl …``."""
        ended = self.batchdl(*arguments)
        return Shown((COMMAND,), ended.err if ended.code else "")

    def _make(self, operator: Any, vendor: str, arguments: dict[str, Any]) -> Callable[[], Any]:
        usual = work(vendor, self.folder) if _submits(operator) else {"conn_id": f"{vendor}_default"}
        given = _without_none({"task_id": "task", **usual, **arguments})
        return lambda: operator(**given)

    def _make_mapped(self, operator: Any, vendor: str, over: Any, more: dict[str, Any]) -> Callable[[], Any]:
        usual = work(vendor, self.folder) if _submits(operator) else {"conn_id": f"{vendor}_default"}
        names = {name for member in ([over] if isinstance(over, dict) else over) for name in member}
        constant = {name: value for name, value in {"task_id": "task", **usual}.items() if name not in names}
        constant = _without_none({**constant, **more})

        def make() -> Any:
            mapped = operator.partial(**constant)
            if not isinstance(over, dict):
                return mapped.expand_kwargs(over)
            given = SubmitBatchJobOperator(task_id="upstream", conn_id="proofy_default", request={}).output
            return mapped.expand(**{name: given if value is UPSTREAM else value for name, value in over.items()})

        return make


def _submits(operator: type) -> bool:
    return "request" in getattr(operator, "template_fields", ())


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
