"""Undocumented assumptions about the vendors' APIs, and whether an answer confirms them.

The source of each is in the vendors' modules and in docs/vendors.md. ``airflow batchdl check --explain`` holds
these against real answers, so that users can report which are wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.vendors.errors import json_of

if TYPE_CHECKING:
    import httpx

REPORTED = "reported by a third party"
LIKELY, POSSIBLE = "inferred, very likely", "inferred, likely"
_TIMES = {"request_date", "requested_at"}
_ENDED = ("succeeded", "failed", "cancelled")
_OLD_CODES = ("AUTHENTICATION_INVALID", "ROUTE_NOT_FOUND", "MISSING_PARAMETER", "MALFORMED_PARAMETER", "SERVER_ERROR")

# Of an answer and its body, {} where that is no object: True if it confirms a guess, False if not, None for neither.
Judge = Callable[["httpx.Response", Mapping[str, Any]], bool | None]


@dataclass(frozen=True)
class Guess:
    """One assumption about a vendor's API, and its source; answers are judged whose paths end in ``path``."""

    text: str
    sure: str
    judge: Judge
    path: str = ""

    def verdict(self, path: str, response: httpx.Response) -> bool | None:
        """True if the answer to a request for ``path`` confirms the guess, False if it refutes it, None for neither."""
        body = json_of(response)
        return self.judge(response, body if isinstance(body, dict) else {}) if path.endswith(self.path) else None


def _error_has(*members: str) -> Judge:
    return lambda response, body: any(name in body for name in members) if response.is_error else None


def _success_has(member: str, kind: type | tuple[type, ...]) -> Judge:
    def judge(response: httpx.Response, body: Mapping[str, Any]) -> bool | None:
        if response.is_success:
            return isinstance(body.get(member), kind)
        return False if response.status_code in (404, 405, 410) else None

    return judge


def _items(body: Mapping[str, Any], member: str) -> list[dict[str, Any]]:
    items = body.get(member)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _export_times(response: httpx.Response, body: Mapping[str, Any]) -> bool | None:
    said = {"request_date" in item for item in _items(body, "exports") if item.keys() & _TIMES}
    return said.pop() if len(said) == 1 else None


def _text_is(member: str, is_one: Callable[[str], bool]) -> Judge:
    return lambda response, body: is_one(body[member]) if isinstance(body.get(member), str) else None


def _limit_is_100(response: httpx.Response, body: Mapping[str, Any]) -> bool | None:
    told = response.headers.get("x-ratelimit-limit")
    return None if told is None else told.split(",")[0].strip() == "100"


GUESSES: Mapping[str, tuple[Guess, ...]] = {
    "revenuebase": (
        Guess("an error is JSON with `detail` or `message`", POSSIBLE, _error_has("detail", "message")),
        Guess(
            "the list has no pages: `processes` is all that is in it",
            REPORTED,
            lambda response, body: set(body) == {"processes"} if response.is_success else None,
            path="/jobs",
        ),
        Guess(
            "every answer has X-RateLimit-Limit, -Remaining and -Reset",
            REPORTED,
            lambda response, body: all(
                f"x-ratelimit-{name}" in response.headers for name in ("limit", "remaining", "reset")
            ),
        ),
    ),
    "proofy": (
        Guess("GET /credits answers `credits`, a number", REPORTED, _success_has("credits", (int, float)), "/credits"),
        Guess(
            "an error may come with status 200, as in the older API",
            POSSIBLE,
            lambda response, body: True if response.is_success and body.get("error") is True else None,
        ),
    ),
    "batchcom": (
        Guess("GET /exports/list is a cheap test of key and project", LIKELY, _success_has("exports", list), "/list"),
        Guess(
            "an export tells its time as `request_date`, not as `requested_at`",
            POSSIBLE,
            _export_times,
        ),
        Guess(
            "error codes are those of the vendor's older API", POSSIBLE, _text_is("error_code", _OLD_CODES.__contains__)
        ),
        Guess(
            "no answer tells a rate limit",
            POSSIBLE,
            lambda response, body: not any(name.lower().startswith("x-ratelimit") for name in response.headers),
        ),
    ),
    "apartmentiq": (
        Guess(
            "jobs that have ended stay in the list",
            LIKELY,
            lambda response, body: any(item.get("status") in _ENDED for item in _items(body, "jobs")) or None,
            path="/jobs",
        ),
        Guess("an account may ask 100 times in 5 minutes", REPORTED, _limit_is_100),
        Guess(
            "a token's scope names `bulk_api`",
            REPORTED,
            _text_is("scope", lambda scope: "bulk_api" in scope.split()),
            path="/token",
        ),
        Guess("a refused client is an `error` of RFC 6749", LIKELY, _error_has("error"), path="/token"),
    ),
}
