"""HTTP transport: each request goes through the proxy that the environment names for its URL, or directly.

``httpx`` would read the environment itself, once for a client, and not as ``requests`` does: a network of IPv6 in
``NO_PROXY`` is an ``InvalidURL`` to it, and it knows neither networks nor ``REQUESTS_CA_BUNDLE``.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import httpx

from airflow_provider_batchdl.client.answers import hide_headers
from airflow_provider_batchdl.client.environment import Proxies, Proxy, ssl_context
from airflow_provider_batchdl.client.targets import TARGET_CHECK, TargetCheck


class RoutingTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Transport of one account's client, sync or async: one of ``httpx`` for each proxy, made when it is needed."""

    def __init__(self, base_url: str, *, is_async: bool) -> None:
        self._make: Any = httpx.AsyncHTTPTransport if is_async else httpx.HTTPTransport
        self._tls = ssl_context()
        self._proxies = Proxies.from_environment()
        self._proxies.check(urlsplit(base_url).scheme)
        self._made: dict[Proxy | None, Any] = {}

    def _to(self, request: httpx.Request) -> tuple[Any, TargetCheck | None]:
        """The transport for ``request``, and the check of a bare one whose host a proxy resolves."""
        proxy = self._proxies.proxy_for(str(request.url))
        if proxy not in self._made:
            through = None if proxy is None else self._httpx_proxy(proxy)
            self._made[proxy] = self._make(verify=self._tls, trust_env=False, proxy=through)
        return self._made[proxy], None if proxy is None else request.extensions.get(TARGET_CHECK)

    def _httpx_proxy(self, proxy: Proxy) -> httpx.Proxy:
        tls: dict[str, Any] = {"ssl_context": self._tls} if proxy.scheme == "https" else {}
        return httpx.Proxy(proxy.url, auth=(proxy.username, proxy.password) if proxy.has_credentials else None, **tls)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request of the sync client."""
        transport, check = self._to(request)
        if check is not None:
            check.through_proxy(request.url.host)
        return hide_headers(transport.handle_request(request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request of the async client."""
        transport, check = self._to(request)
        if check is not None:
            await asyncio.to_thread(check.through_proxy, request.url.host)
        return hide_headers(await transport.handle_async_request(request))

    def close(self) -> None:
        """Close the connections of the sync client."""
        for transport in self._made.values():
            transport.close()

    async def aclose(self) -> None:
        """Close the connections of the async client."""
        for transport in self._made.values():
            await transport.aclose()
