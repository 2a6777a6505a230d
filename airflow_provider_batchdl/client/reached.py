"""The address that a bare request really reaches, checked before a byte is sent: a name may resolve to anything.

Through a proxy that cannot be seen, so there this machine's resolver is asked, as for downloads.
"""

from __future__ import annotations

from typing import Any

import httpcore

from airflow_provider_batchdl.client.targets import check_resolved, is_forbidden, parse_address
from airflow_provider_batchdl.exceptions import UnsafeRedirectError

TARGET_CHECK = "batchdl.target"
"""Name of the extension of an ``httpx.Request`` that holds its :class:`TargetCheck`."""


class TargetCheck:
    """Checks the address that one request reaches.

    Args:
        url: the link as it was written, without a fragment.
        allow_loopback: whether it may lead to this machine.
    """

    def __init__(self, url: str, *, allow_loopback: bool) -> None:
        self.url = url
        self._allow_loopback = allow_loopback
        self._is_proxied = False

    def through_proxy(self, host: str) -> None:
        """Note that the request goes through a proxy, and check ``host`` by this machine's resolver, which may block.

        Raises:
            UnsafeRedirectError: no result can be there.
        """
        self._is_proxied = True
        check_resolved(host, allow_loopback=self._allow_loopback)

    def fault_of(self, stream: httpcore.NetworkStream | httpcore.AsyncNetworkStream) -> UnsafeRedirectError | None:
        """The error if a connection that was just made reached what it must not."""
        if self._is_proxied:
            return None
        reached: Any = stream.get_extra_info("server_addr")
        address = parse_address(str(reached[0])) if reached else None
        if address is not None and not is_forbidden(address, allow_loopback=self._allow_loopback):
            return None
        return UnsafeRedirectError(f"A link was not followed: its host resolves to {address}, where no result can be.")
