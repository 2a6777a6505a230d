"""From a call of a document to the request that a flow sends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.declared.calls import Call, FileSource, Step
from airflow_provider_batchdl.vendors.declared.templates import Values, fill_json, fill_path, fill_texts, holes, merged
from airflow_provider_batchdl.vendors.files import upload_of
from airflow_provider_batchdl.vendors.requests import ApiRequest, Submission, as_texts

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Vendor

LONGEST_SHOWN = 60


def request_of(operation: str, call: Call | FileSource, values: Values, **more: Any) -> ApiRequest:
    """The request that ``call`` makes."""
    members: dict[str, Any] = {
        "params": fill_texts(call.params, values) or None,
        "headers": _headers(call.headers, values) or None,
        "form": fill_texts(call.form, values) or None,
        "json": fill_json(call.json, values),
    }
    return ApiRequest(operation, call.method, fill_path(call.path or "", values), **(members | more))


def step_request(vendor: Vendor, step: Step, values: Values, submission: Submission, *, is_last: bool) -> ApiRequest:
    """The request of one step of a submit."""
    goes_to = destination_of(step, is_last=is_last)
    more: dict[str, Any] = {"repeatable": _is_repeatable(step, is_last=is_last)}
    if goes_to == "json":
        more["json"] = merged(step.json, values, submission.request)
    elif goes_to != "none":
        more[goes_to] = _merged_texts(vendor, goes_to, step, values, submission.request) or None
    if step.upload is not None and submission.file is not None:
        more["upload"] = upload_of(vendor, submission, step.upload)
    return request_of("submit", step, values, **more)


def destination_of(step: Step, *, is_last: bool) -> str:
    """The part of a step's request that the task's request goes into; ``none`` for no part."""
    default = "json" if is_last and step.upload is None and not step.form else "none"
    return step.request or default


def steps_for(steps: tuple[Step, ...], *, has_file: bool) -> Iterator[tuple[Step, bool]]:
    """The steps that a task with or without a file takes, each with whether it is the last."""
    taken = [step for step in steps if step.when is None or (step.when == "file") is has_file]
    for number, step in enumerate(taken, 1):
        yield step, number == len(taken)


def is_idempotent(steps: tuple[Step, ...], *, has_file: bool) -> bool:
    """True if no step of a submit makes a second job when it is sent twice."""
    return all(_is_repeatable(step, is_last=is_last) for step, is_last in steps_for(steps, has_file=has_file))


def _is_repeatable(step: Step, *, is_last: bool) -> bool:
    return not is_last if step.repeatable is None else step.repeatable


def holes_of(call: Call | FileSource) -> set[str]:
    """The names of all holes in a request."""
    return set(holes([(call.path or "").replace("{+", "{"), call.params, call.headers, call.json, call.form]))


def unsent(steps: Sequence[Step], request: Mapping[str, Any]) -> list[str]:
    """The members of a task's request that none of these steps sends."""
    taken = {hole for step in steps for hole in holes_of(step)}
    if "request" in taken or any(destination_of(step, is_last=step is steps[-1]) != "none" for step in steps):
        return []
    return [name for name, value in request.items() if value is not None and f"request.{name}" not in taken]


def _headers(templates: Mapping[str, str], values: Values) -> dict[str, str]:
    """Headers whose holes are filled, by what a task or an answer gives."""
    filled = fill_texts(templates, values)
    for name, text in filled.items():
        if text != text.strip() or not text.isascii() or not text.isprintable():
            raise InvalidRequestError(
                f"The header {name} cannot be made of {templates[name][:LONGEST_SHOWN]}: the value is not one line of "
                "visible ASCII."
            )
    return filled


def _merged_texts(vendor: Vendor, place: str, step: Step, values: Values, request: Mapping[str, Any]) -> dict[str, str]:
    """The ``params`` or the ``form`` of a step: the task's request replaces those without a hole."""
    templates = step.params if place == "params" else step.form
    texts = as_texts(vendor, request, "query" if place == "params" else "form")
    filled = fill_texts(templates, values)
    return texts | {name: text for name, text in filled.items() if any(holes(templates[name])) or name not in texts}
