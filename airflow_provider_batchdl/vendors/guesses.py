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
_FIRST_ERROR = 400
_TIMES = {"request_date", "requested_at"}


@dataclass(frozen=True)
class Guess:
    """One assumption about a vendor's API.

    Args:
        text: what is assumed.
        sure: its source.
        judge: tells whether an answer confirms it; None where it does neither.
        path: the end of the paths whose answers are judged; empty for all.
    """

    text: str
    sure: str
    judge: Callable[[httpx.Response], bool | None]
    path: str = ""

    def verdict(self, path: str, response: httpx.Response) -> bool | None:
        """True if the answer to a request for ``path`` confirms the guess, False if it refutes it, None for neither."""
        return self.judge(response) if path.endswith(self.path) else None


def _body(response: httpx.Response) -> dict[str, Any]:
    body = json_of(response)
    return body if isinstance(body, dict) else {}


def _error_has(*members: str) -> Callable[[httpx.Response], bool | None]:
    def judge(response: httpx.Response) -> bool | None:
        return any(name in _body(response) for name in members) if response.status_code >= _FIRST_ERROR else None

    return judge


def _success_has(member: str, kind: type | tuple[type, ...]) -> Callable[[httpx.Response], bool | None]:
    def judge(response: httpx.Response) -> bool | None:
        if response.is_success:
            return isinstance(_body(response).get(member), kind)
        return False if response.status_code in (404, 405, 410) else None

    return judge


def _of_items(member: str, holds: Callable[[dict[str, Any]], bool | None]) -> Callable[[httpx.Response], bool | None]:
    """The judgement of a list's items, if they agree."""

    def judge(response: httpx.Response) -> bool | None:
        items = _body(response).get(member)
        said = {holds(item) for item in items if isinstance(item, dict)} if isinstance(items, list) else set()
        said.discard(None)
        return said.pop() if len(said) == 1 else None

    return judge


def _any_ended(response: httpx.Response) -> bool | None:
    jobs = _body(response).get("jobs")
    ended = isinstance(jobs, list) and any(
        isinstance(job, dict) and job.get("status") in ("succeeded", "failed", "cancelled") for job in jobs
    )
    return True if ended else None


def _error_in_200(response: httpx.Response) -> bool | None:
    return True if response.is_success and _body(response).get("error") is True else None


def _limit_is(number: str) -> Callable[[httpx.Response], bool | None]:
    def judge(response: httpx.Response) -> bool | None:
        told = response.headers.get("x-ratelimit-limit")
        return None if told is None else told.split(",")[0].strip() == number

    return judge


def _scope(response: httpx.Response) -> bool | None:
    scope = _body(response).get("scope")
    return "bulk_api" in scope.split() if isinstance(scope, str) else None


_OLD_CODES = ("AUTHENTICATION_INVALID", "ROUTE_NOT_FOUND", "MISSING_PARAMETER", "MALFORMED_PARAMETER", "SERVER_ERROR")


def _old_code(response: httpx.Response) -> bool | None:
    code = _body(response).get("error_code")
    return code in _OLD_CODES if isinstance(code, str) else None


GUESSES: Mapping[str, tuple[Guess, ...]] = {
    "revenuebase": (
        Guess("an error is JSON with `detail` or `message`", POSSIBLE, _error_has("detail", "message")),
        Guess(
            "the list has no pages: `processes` is all that is in it",
            REPORTED,
            lambda response: set(_body(response)) == {"processes"} if response.is_success else None,
            path="/jobs",
        ),
        Guess(
            "every answer has X-RateLimit-Limit, -Remaining and -Reset",
            REPORTED,
            lambda response: all(f"x-ratelimit-{name}" in response.headers for name in ("limit", "remaining", "reset")),
        ),
    ),
    "proofy": (
        Guess("GET /credits answers `credits`, a number", REPORTED, _success_has("credits", (int, float)), "/credits"),
        Guess("an error may come with status 200, as in the older API", POSSIBLE, _error_in_200),
    ),
    "batchcom": (
        Guess("GET /exports/list is a cheap test of key and project", LIKELY, _success_has("exports", list), "/list"),
        Guess(
            "an export tells its time as `request_date`, not as `requested_at`",
            POSSIBLE,
            _of_items("exports", lambda item: "request_date" in item if item.keys() & _TIMES else None),
        ),
        Guess("error codes are those of the vendor's older API", POSSIBLE, _old_code),
        Guess(
            "no answer tells a rate limit",
            POSSIBLE,
            lambda response: not any(name.lower().startswith("x-ratelimit") for name in response.headers),
        ),
    ),
    "apartmentiq": (
        Guess("jobs that have ended stay in the list", LIKELY, _any_ended, path="/jobs"),
        Guess("an account may ask 100 times in 5 minutes", REPORTED, _limit_is("100")),
        Guess("a token's scope names `bulk_api`", REPORTED, _scope, path="/token"),
        Guess("a refused client is an `error` of RFC 6749", LIKELY, _error_has("error"), path="/token"),
    ),
}
