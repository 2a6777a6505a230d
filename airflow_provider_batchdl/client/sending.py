"""What is known of a request on its way: when its first byte goes, and whether all of it went.

``httpcore`` reports each step of a request to its ``trace`` extension (https://www.encode.io/httpcore/extensions/):
the connection and the credentials are there when ``http11.send_request_headers.started`` is reported, and the next
thing to happen is that bytes go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx

from airflow_provider_batchdl.client.limits import ANSWER_SECONDS, limit
from airflow_provider_batchdl.vendors.requests import ApiRequest, SubmitJournal

__all__ = ["Sending", "SubmitJournal", "journaled"]

_HEAD = "http11.send_request_headers"
_BODY = "http11.send_request_body"
# After these the vendor cannot have a whole request. Any other event, one of a newer version too, says that it may.
_NOT_YET = (f"{_HEAD}.started", f"{_HEAD}.complete", f"{_HEAD}.failed", f"{_BODY}.started", f"{_BODY}.failed")
_CONNECTING = ("connection.", "http_proxy.", "socks.", "proxy.")


def journaled(request: ApiRequest, journal: SubmitJournal | None) -> ApiRequest:
    """``request`` with the journal that is told of it, where it may not be repeated."""
    return request if journal is None or request.repeatable else replace(request, journal=journal)


class Sending:
    """Watches one request being sent.

    Args:
        journal: is told when its first byte goes.
        answer_seconds: how long its answer may take.
    """

    def __init__(self, journal: SubmitJournal | None = None, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._journal = journal
        self._answer_seconds = answer_seconds
        self._is_async = False
        self._unsent = False
        self._told = False

    @property
    def whole(self) -> bool:
        """Whether the vendor may have the whole request. True, too, where nothing is known."""
        return not self._unsent

    def turned_away(self) -> None:
        """It was surely not accepted, and is sent again after a pause."""
        if self._journal is not None and self._told:
            self._told = False
            self._journal.turned_away()

    def of_credentials(self) -> Sending:
        """What watches a request that this one's credentials need."""
        return Sending(answer_seconds=self._answer_seconds)

    def watch(self, message: httpx.Request, *, is_async: bool = False) -> None:
        """Watch ``message`` being sent, by the sync client or the async one."""
        self._unsent, self._is_async = False, is_async
        message.extensions["trace"] = self._atrace if is_async else self._trace

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        limit(event, info, self._answer_seconds, is_async=self._is_async)
        request = info.get("request")
        if getattr(request, "method", b"") == b"CONNECT":
            return  # to a proxy, about the way there
        if event in _NOT_YET or event.startswith(_CONNECTING):
            self._unsent = True  # first: what the journal raises keeps all of it from going
        if event == f"{_HEAD}.started" and self._journal is not None:
            self._journal.sending()
            self._told = True
        if event == f"{_BODY}.complete":
            self._unsent = False

    async def _atrace(self, event: str, info: dict[str, Any]) -> None:
        self._trace(event, info)
