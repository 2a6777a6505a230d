"""Tracks a request being sent: when its first byte goes out, and whether all of it did.

``httpcore`` reports each step of a request to its ``trace`` extension (https://www.encode.io/httpcore/extensions/):
the connection and the credentials are there when ``http11.send_request_headers.started`` is reported, and the next
thing to happen is that bytes go.
"""

from __future__ import annotations

from typing import Any, Protocol

import httpx

from airflow_provider_batchdl.client.limits import limit
from airflow_provider_batchdl.client.targets import TARGET_CHECK, TargetCheck
from airflow_provider_batchdl.exceptions import BatchDlError

_HEAD = "http11.send_request_headers"
_BODY = "http11.send_request_body"
# After these the vendor cannot have a whole request. After any other event, one of a newer version too, it may.
_NOT_YET = (f"{_HEAD}.started", f"{_HEAD}.complete", f"{_HEAD}.failed", f"{_BODY}.started", f"{_BODY}.failed")
_CONNECTING = ("connection.", "http_proxy.", "socks.", "proxy.")


class SubmitJournal(Protocol):
    """Notified when a request that may not be repeated goes out. Called on the thread that sends, and may block."""

    def sending(self) -> None:
        """The request's first byte goes next; with a ``BatchDlError`` raised here, none goes."""

    def turned_away(self) -> None:
        """The request was certainly not accepted, and is retried after a delay."""


class Sending:
    """Tracks one request being sent. ``admitted``: the throttle has counted its first attempt already."""

    def __init__(
        self, journal: SubmitJournal | None = None, *, answer_seconds: float, admitted: bool = False, is_async: bool
    ) -> None:
        self.admitted = admitted
        self._journal = journal
        self._answer_seconds = answer_seconds
        self._is_async = is_async
        self._check: TargetCheck | None = None
        self._unsent = False
        self._journaled = False

    @property
    def whole(self) -> bool:
        """True if the vendor may have the whole request, also where nothing is known."""
        return not self._unsent

    def turned_away(self) -> None:
        """Note that it was surely not accepted, and is retried after a delay."""
        if self._journal is not None and self._journaled:
            self._journaled = False
            self._journal.turned_away()

    def of_credentials(self) -> Sending:
        """A tracker for the token request that this one's credentials need."""
        return Sending(answer_seconds=self._answer_seconds, is_async=self._is_async)

    def watch(self, message: httpx.Request) -> None:
        """Track ``message`` being sent."""
        self._unsent = False
        self._check = message.extensions.get(TARGET_CHECK)
        message.extensions["trace"] = self._atrace if self._is_async else self._trace

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        if fault := self._fault(event, info):
            info["return_value"].close()
            raise fault
        self._note(event, info)

    async def _atrace(self, event: str, info: dict[str, Any]) -> None:
        if fault := self._fault(event, info):
            await info["return_value"].aclose()
            raise fault
        self._note(event, info)

    def _fault(self, event: str, info: dict[str, Any]) -> BatchDlError | None:
        if self._check is None or event != "connection.connect_tcp.complete":
            return None
        return self._check.fault_of(info["return_value"])

    def _note(self, event: str, info: dict[str, Any]) -> None:
        limit(event, info, self._answer_seconds)
        request = info.get("request")
        if getattr(request, "method", b"") == b"CONNECT":
            return  # to a proxy, about the way there
        if event in _NOT_YET or event.startswith(_CONNECTING):
            self._unsent = True  # first: if the journal raises, nothing is sent
        if event == f"{_HEAD}.started" and self._journal is not None:
            self._journal.sending()
            self._journaled = True
        if event == f"{_BODY}.complete":
            self._unsent = False
