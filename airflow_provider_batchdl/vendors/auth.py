"""API keys in a header or a query. Each is an ``httpx.Auth``, so that it serves sync and async alike."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import httpx

from airflow_provider_batchdl.vendors.oauth2 import OAuth2ClientCredentials

__all__ = ["BearerAuth", "HeaderKeyAuth", "OAuth2ClientCredentials", "QueryKeyAuth"]


class HeaderKeyAuth(httpx.Auth):
    """An API key in a header of its own.

    Args:
        header: the header's name.
        key: the key.
    """

    def __init__(self, header: str, key: str) -> None:
        self._header, self._key = header, key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the key on ``request``."""
        request.headers[self._header] = self._key
        yield request


class QueryKeyAuth(httpx.Auth):
    """An API key in the query. It is part of URLs, so every URL is redacted before it is logged or raised.

    Args:
        parameter: the query parameter's name.
        key: the key.
    """

    def __init__(self, parameter: str, key: str) -> None:
        self._parameter, self._key = parameter, key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the key on ``request``."""
        request.url = request.url.copy_set_param(self._parameter, self._key)
        yield request


class BearerAuth(httpx.Auth):
    """A Bearer token (RFC 6750, section 2.1), and headers that go with it.

    Args:
        token: the token.
        headers: further headers, which stay with the token on the connection's origin.
    """

    def __init__(self, token: str, headers: Mapping[str, str] | None = None) -> None:
        self._token, self._headers = token, dict(headers or {})

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the token on ``request``."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        request.headers.update(self._headers)
        yield request
