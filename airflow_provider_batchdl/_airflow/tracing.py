"""Spans below Airflow's span of a task, if tracing is on: ``[traces] otel_on``, Airflow 3.2 and later.

Airflow's worker creates a current span for every task, and exports it. Without one, or if it is not sampled, nothing is
recorded here, and OpenTelemetry is not imported: with tracing on, the worker has already imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl._values.storable import storable_text, words_of

Value: TypeAlias = str | int | float | bool | None
Note: TypeAlias = Callable[..., None]
"""Add attributes, given by keyword, to a span. None is left out."""

_PREFIX = "batchdl."


def span(name: str, **attributes: Value) -> AbstractContextManager[Note]:
    """Open a child of the task's span for this block; an exception that ends it is recorded, redacted."""
    return _span(_PREFIX + name, _PREFIX, {_PREFIX + key: value for key, value in attributes.items()})


def resume_decision_span(operator: str, key: str) -> AbstractContextManager[Note]:
    """Open the span ``resumable_job.resume_decision`` for this block, with the attributes that Airflow's own has."""
    attributes = {"operator": operator, "resumable.external_id_key": key}
    return _span("resumable_job.resume_decision", "resumable.", attributes)


@contextmanager
def _span(name: str, prefix: str, attributes: Mapping[str, Value]) -> Iterator[Note]:
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None or not trace.get_current_span().is_recording():
        yield lambda **_: None
        return
    # Not by OpenTelemetry itself: an exception's words and traceback may hold a signed link.
    with trace.get_tracer(__name__).start_as_current_span(
        name, record_exception=False, set_status_on_exception=False
    ) as current:

        def set_all(values: Mapping[str, Value]) -> None:
            current.set_attributes({key: _safe(value) for key, value in values.items() if value is not None})

        def note(**more: Value) -> None:
            set_all({prefix + key: value for key, value in more.items()})

        set_all(attributes)
        try:
            yield note
        except BaseException as error:
            message = storable_text(redact(words_of(error)))
            current.add_event("exception", {"exception.type": type(error).__name__, "exception.message": message})
            current.set_status(trace.Status(trace.StatusCode.ERROR, f"{type(error).__name__}: {message}"))
            raise


def _safe(value: Value) -> Value:
    return storable_text(redact(value)) if isinstance(value, str) else value
