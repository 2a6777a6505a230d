"""HTTP transports: each request goes through the proxy that the environment names for its URL, or directly.

``httpx`` would read the environment itself, once for a client, and not as ``requests`` does: a network of IPv6 in
``NO_PROXY`` is an ``InvalidURL`` to it, and it knows neither networks nor ``REQUESTS_CA_BUNDLE``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import httpx

from airflow_provider_batchdl.client.answers import hide_headers
from airflow_provider_batchdl.client.environment import Proxies, Proxy, ssl_context
from airflow_provider_batchdl.client.targets import TARGET_CHECK, TargetCheck

T = TypeVar("T")


class _Routes(Generic[T]):
    """A transport for each proxy, and one for none, made when it is needed."""

    def __init__(self, make: Callable[..., T], base_url: str) -> None:
        self._make, self._tls = make, ssl_context()
        self._proxies = Proxies.from_environment()
        self._proxies.check(urlsplit(base_url).scheme)
        self._made: dict[Proxy | None, T] = {}

    def to(self, request: httpx.Request) -> tuple[T, TargetCheck | None]:
        """The transport for ``request``, and the check of a bare one whose host a proxy resolves."""
        proxy = self._proxies.proxy_for(str(request.url))
        if proxy not in self._made:
            through = None if proxy is None else self._httpx_proxy(proxy)
            self._made[proxy] = self._make(verify=self._tls, trust_env=False, proxy=through)
        return self._made[proxy], None if proxy is None else request.extensions.get(TARGET_CHECK)

    def _httpx_proxy(self, proxy: Proxy) -> httpx.Proxy:
        tls: dict[str, Any] = {"ssl_context": self._tls} if proxy.scheme == "https" else {}
        return httpx.Proxy(proxy.url, auth=(proxy.username, proxy.password) if proxy.has_credentials else None, **tls)

    def drain(self) -> list[T]:
        """The transports made so far, to be closed."""
        made, self._made = self._made, {}
        return list(made.values())


class _Transport(httpx.BaseTransport):
    def __init__(self, base_url: str) -> None:
        self._routes = _Routes(httpx.HTTPTransport, base_url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        transport, check = self._routes.to(request)
        if check is not None:
            check.through_proxy(request.url.host)
        return hide_headers(transport.handle_request(request))

    def close(self) -> None:
        for transport in self._routes.drain():
            transport.close()


class _AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(self, base_url: str) -> None:
        self._routes = _Routes(httpx.AsyncHTTPTransport, base_url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        transport, check = self._routes.to(request)
        if check is not None:
            await asyncio.to_thread(check.through_proxy, request.url.host)
        return hide_headers(await transport.handle_async_request(request))

    async def aclose(self) -> None:
        for transport in self._routes.drain():
            await transport.aclose()


def transport_for(base_url: str, *, is_async: bool) -> httpx.BaseTransport | httpx.AsyncBaseTransport:
    """The transport for the client of an account at ``base_url``."""
    return (_AsyncTransport if is_async else _Transport)(base_url)
