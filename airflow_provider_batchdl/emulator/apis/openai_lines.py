"""The lines of OpenAI's batches: requests in, responses and errors out (guide on batches, "Request input object" …)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.results import Recipe
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES

_EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}


def _requests(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            yield _request_of(line, number)


def _request_of(line: bytes, number: int) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        request = None
    if isinstance(request, dict):
        return request
    raise ValueError(f"This line is not parseable as valid JSON. (line {number})")


def problem_of(path: Path) -> str | None:
    """Return why a file makes its batch fail, or ``None``: a line that is no JSON object, or no line at all."""
    try:
        return None if sum(1 for _ in _requests(path)) else "The batch is empty."
    except ValueError as problem:
        return str(problem)


def recipes_for(path: Path) -> tuple[Recipe, Recipe]:
    """Return the recipes of a batch's output file and error file.

    A request without a ``model`` in its body fails (an inference: the API refuses such a one). Those that an expired or
    cancelled batch did not get to are errors ``batch_expired``; for a cancelled one, that is an inference.
    """
    media = MEDIA_TYPES["jsonl"]

    def write(file: BinaryIO, revision: int, share: float, *, errors: bool) -> None:
        if problem_of(path):
            return
        total = sum(1 for _ in _requests(path))
        for number, request in enumerate(_requests(path)):
            line = _answer(request, number, revision, done=number < int(total * share))
            if bool(line["error"] or line["response"]["status_code"] != 200) == errors:
                file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    return (
        Recipe(media, lambda file, revision, share: write(file, revision, share, errors=False)),
        Recipe(media, lambda file, revision, share: write(file, revision, share, errors=True)),
    )


def _answer(request: dict[str, Any], number: int, revision: int, *, done: bool) -> dict[str, Any]:
    digest = hashlib.sha256(f"{revision}:{number}:{json.dumps(request, sort_keys=True)}".encode()).hexdigest()
    named = {"id": f"batch_req_{digest[:24]}", "custom_id": request.get("custom_id")}
    if not done:
        return {**named, "response": None, "error": _EXPIRED}
    body, status = request.get("body"), 200
    if isinstance(body, dict) and body.get("model"):
        message = {"role": "assistant", "content": f"answer {digest[:8]}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer: dict[str, Any] = {"object": "chat.completion", "model": body["model"], "choices": [choice]}
    else:
        status = 400
        answer = {"error": {"message": "you must provide a model parameter", "type": "invalid_request_error"}}
    response = {"status_code": status, "request_id": f"req_{digest[24:48]}", "body": answer}
    return {**named, "response": response, "error": None}
