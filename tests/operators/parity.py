"""What both ways of a task to wait leave behind, made comparable."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_batchdl._airflow.job_note import NOTE_KEY
from airflow_provider_batchdl.emulator import Emulator
from tests.support.airflow_api import ExecutionApi, Outcome
from tests.support.fixtures import forget_process_state
from tests.support.leaks import find_secrets

Kind = tuple[str, str | None]
SUCCESS: Kind = ("success", None)
SKIPPED: Kind = ("skipped", None)
FAILED_FOR_GOOD: Kind = ("failed", "BatchTaskFailedError")
RETRIED: Kind = ("up_for_retry", "VendorUnavailableError")
LENIENCIES = ("", "soft_fail", "never_fail")


@dataclass(frozen=True)
class Trace:
    """What a task leaves in Airflow, with the job's own names taken out."""

    kind: Kind
    error: str
    xcoms: dict[str, Any]
    events: list[Any]

    @classmethod
    def of(cls, api: ExecutionApi, outcome: Outcome, names: dict[str, str]) -> Trace:
        def plain(value: Any) -> Any:
            text = json.dumps(value, default=str)
            for name, stand_in in names.items():
                text = text.replace(name, stand_in)
            return json.loads(re.sub(r'"seconds": [0-9.]+', '"seconds": 0', text))

        sent = [json.loads(body) for body in api.sent]
        return cls(
            outcome.kind,
            plain(str(outcome.error or "")),
            # The page's note has what the task saw meanwhile: while it is deferred, the triggerer sees it.
            plain({key: value for (_, _, key), value in sorted(api.xcoms.items()) if key != NOTE_KEY}),
            plain([body["outlet_events"] for body in sent if "outlet_events" in body]),
        )


def alike(run: Callable[[ExecutionApi, bool], Trace], emulator: Emulator) -> Trace:
    """Run a task both ways; what both have left, which must be the same."""
    traces = []
    for deferrable in (False, True):
        api = ExecutionApi()
        traces.append(run(api, deferrable))
        assert (api.deferral is not None) is deferrable
        assert not find_secrets("\n".join(api.sent))
        emulator.clear_faults()
        forget_process_state()
    assert traces[0] == traces[1]
    return traces[0]
