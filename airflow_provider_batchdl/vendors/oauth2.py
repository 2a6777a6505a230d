"""OAuth 2.0 client credentials (RFC 6749, section 4.4) as one ``httpx.Auth`` flow for sync and async.

The token is cached per process and account, fetched once for all callers, renewed shortly before it
ends, and once more when the API answers 401.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit
from weakref import WeakKeyDictionary

import httpx

from airflow_provider_batchdl._redaction.redactor import excerpt, forget, remember_minted
from airflow_provider_batchdl._redaction.tracebacks import Secret
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    InvalidConnectionError,
    InvalidRequestError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.vendors.account import TOKEN_BASE_URLS, origin
from airflow_provider_batchdl.vendors.errors import error_from_response, json_of, vendor_words
from airflow_provider_batchdl.vendors.hosts import NoBaseUrlError, base_url
from airflow_provider_batchdl.vendors.pointers import value_at

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.account import Account

# A token is renewed when this share of its life is left, but no earlier than five minutes before its end.
RENEW_SHARE = 0.1
RENEW_AT_MOST = 300.0

_TRY_ADDRESS = "Check the connection's host, and its extra token_url where it is set."

# Beginnings of the codes of RFC 6749, section 5.2, which some endpoints send with status 200.
_REFUSALS = ("invalid_", "unauthorized_", "unsupported_")
# RFC 6749 only recommends that the answer has a lifetime.
UNSTATED_LIFE = 600.0
# Servers take headers of 8 to 16 KiB altogether.
LONGEST_TOKEN = 16_384
BUILT_ON = "batchdl.base_url"
"""Name of the extension of an ``httpx.Request`` that holds the base URL before its path."""

_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


class _Token:
    """One account's token, and the locks that make everybody wait for one request."""

    def __init__(self) -> None:
        self.value: str | None = None
        self._former: str | None = None
        self.renew_at = 0.0
        self.lock = threading.Lock()
        self._async_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def async_lock(self) -> asyncio.Lock:
        return self._async_locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    def usable(self, refused: str | None) -> str | None:
        """The token, unless it is missing, near its end, or the one that was just refused."""
        fresh = self.value != refused and time.monotonic() < self.renew_at
        return self.value if fresh else None

    def keep(self, value: str, expires_in: float) -> None:
        """Use ``value`` from now on. The one before stays masked, since requests with it may be under way."""
        self.renew_at = time.monotonic() + expires_in - min(RENEW_AT_MOST, expires_in * RENEW_SHARE)
        if value == self.value:
            return
        remember_minted(value)
        before, self._former, self.value = self._former, self.value, value
        if before is not None:
            forget(before)


_tokens: dict[str, _Token] = {}


class OAuth2ClientCredentials(httpx.Auth):
    """Bearer tokens from a token endpoint.

    Args:
        token_url: the token endpoint.
        client_id: the client's id, sent in the body with the secret.
        client_secret: the client's secret.
        basic: both, coded for HTTP Basic (RFC 6749, section 2.3.1), instead of in the body.
        cache_key: the token's cache key; one for each account.
        vendor: the vendor's name, for errors.
        base_url: the connection's base URL; needed with ``base_url_pointer``.
        base_url_pointer: JSON pointer (RFC 6901) to the API's base URL in the token's answer, such as
            ``/instance_url``. Requests go there, and the token with them; ``cache_key`` is ``Account.fingerprint``.
        base_url_hosts: hosts, or ends of hosts such as ``example.com``, that this base URL may have, by https, besides
            the connection's own origin.
        form: further fields of the token request, such as ``scope``, or another ``grant_type``.
        header: the header that the token goes into.
        prefix: text before the token there.
    """

    def __init__(
        self,
        *,
        token_url: str,
        client_id: str,
        client_secret: str,
        cache_key: str,
        vendor: str,
        base_url: str = "",
        base_url_pointer: str | None = None,
        base_url_hosts: tuple[str, ...] = (),
        form: Mapping[str, str] | None = None,
        header: str = "Authorization",
        prefix: str = "Bearer ",
        basic: str | None = None,
    ) -> None:
        self._header, self._prefix = header, prefix
        self._token_url, self._vendor, self._key = token_url, vendor, cache_key
        self._home, self._pointer, self._hosts = base_url, base_url_pointer, tuple(base_url_hosts)
        if base_url_pointer is not None:
            TOKEN_BASE_URLS.setdefault(cache_key, None)
        self._basic = {"Authorization": f"Basic {basic}"} if basic else {}
        client = {} if basic else {"client_id": client_id, "client_secret": Secret(client_secret)}
        self._form = {
            "grant_type": "client_credentials",
            **client,
            **{name: Secret(value) for name, value in (form or {}).items()},
        }
        asked = hashlib.blake2b(json.dumps(sorted((form or {}).items())).encode(), digest_size=16).hexdigest()
        self._token = _tokens.setdefault(f"{cache_key} {token_url} {asked}", _Token())

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put a token on ``request``; after a 401, once more with a new one."""
        refused: str | None = None
        for _ in range(2):
            with self._token.lock:
                token = self._token.usable(refused) or self._keep((yield self._token_request()))
            response = yield self._with_token(request, token)
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return
            refused = token

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The same, for the async client."""
        refused: str | None = None
        for _ in range(2):
            async with self._token.async_lock():
                token = self._token.usable(refused) or self._keep((yield self._token_request()))
            response = yield self._with_token(request, token)
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return
            refused = token

    def _token_request(self) -> httpx.Request:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **self._basic}
        return httpx.Request("POST", self._token_url, data=self._form, headers=headers)

    def _with_token(self, request: httpx.Request, token: str) -> httpx.Request:
        if base := TOKEN_BASE_URLS.get(self._key):
            _move(request, base)
        request.headers[self._header] = f"{self._prefix}{token}"
        return request

    def _keep(self, answer: httpx.Response) -> str:
        if not answer.is_success:
            raise self._refusal(answer)
        try:
            body = answer.json()
            token, expires_in = body["access_token"], float(body.get("expires_in") or UNSTATED_LIFE)
            if not isinstance(token, str) or not token.isascii() or not token.isprintable():
                raise TypeError("the token is no text")
            if not 0 < len(token) <= LONGEST_TOKEN or not expires_in > 0:
                raise ValueError("no header holds the token, or it has ended already")
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
            found = json_of(answer)
            if isinstance(found, dict) and str(found.get("error")).startswith(_REFUSALS):
                raise AuthenticationError(
                    "The token request was refused.",
                    vendor=self._vendor,
                    status=answer.status_code,
                    vendor_message=vendor_words(answer)[0],
                ) from None
            # Not "unexpected response", which to a submit would mean that it may have been taken: it was never sent.
            raise VendorUnavailableError(
                "The token endpoint's answer holds no access token.",
                vendor=self._vendor,
                status=answer.status_code,
                maybe_processed=False,
                remedy=_TRY_ADDRESS,
            ) from None
        token = Secret(token)
        if self._pointer is not None:
            remember_minted(token)  # the error may quote what the answer holds
            try:
                named = value_at(body, self._pointer)
                base = checked_base_url(named, home=self._home, hosts=self._hosts, vendor=self._vendor)
            finally:
                forget(token)
            TOKEN_BASE_URLS[self._key] = base
        self._token.keep(token, expires_in)
        return token

    def _refusal(self, answer: httpx.Response) -> BatchDlError:
        # RFC 6749, section 5.2: invalid_client is a 401 or a 400.
        refused = answer.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED)
        kind: type[BatchDlError] | None = AuthenticationError if refused else None
        if answer.status_code < httpx.codes.BAD_REQUEST:
            kind = InvalidRequestError  # a redirect, which the secret does not follow
        own = isinstance(json_of(answer), dict)  # as RFC 6749 has it; a firewall's page proves nothing about the secret
        error = error_from_response(answer, vendor=self._vendor, operation="token", kind=kind, own=own)
        if isinstance(error, InvalidRequestError):
            error.remedy = _TRY_ADDRESS
        if isinstance(error, VendorUnavailableError):
            error.maybe_processed = False  # the request that needs the token has not been sent
        return error


def token_url_of(account: Account, default: str | None, *, vendor: str) -> str:
    """The token endpoint: the extra ``token_url``, else ``default``; each a whole URL, or a path at the host's origin.

    At another origin, the secret goes to https only, or to this machine.
    """
    given = account.text("token_url")
    own = urljoin(account.base_url, default or "")
    if given is None and default is not None and origin(own) == account.origin:
        return own
    text = given or default or ""
    try:
        if not text:
            raise NoBaseUrlError("is missing, and the secret goes nowhere else")
        if "://" not in text and not text.startswith("/"):
            raise NoBaseUrlError("is neither a URL nor a path that begins with '/'")
        url = base_url(urljoin(account.base_url, text), "https:")
        scheme, host, _ = where = origin(url)
        if scheme != "https" and where != account.origin and host not in ("127.0.0.1", "::1", "localhost"):
            raise NoBaseUrlError("is not https, and at another host than the connection's")
    except ValueError as error:
        problem = str(error) if isinstance(error, NoBaseUrlError) else "is no URL"
        remedy = "Set it to https://host/path, the vendor's token endpoint."
        raise account.wrong("extra field 'token_url'", problem, remedy, vendor=vendor) from error
    return url


def checked_base_url(named: object, *, home: str, hosts: tuple[str, ...], vendor: str) -> str:
    """The base URL that a token endpoint names, without a final slash.

    The token may go to the origin of ``home``, the connection's, and to ``hosts``, or hosts that end in one after a
    dot, by https on the usual port.
    """
    try:
        # Of no default's host, so that any path is its own.
        found = base_url(named if isinstance(named, str) and "://" in named else "://", "https://x.invalid")
    except NoBaseUrlError:
        raise _refused("no base URL", named, vendor) from None
    scheme, host, port = origin(found)
    if (scheme, host, port) == origin(home):
        return found
    allowed = any(host == each.lower() or host.endswith(f".{each.lower()}") for each in hosts if each)
    if not (allowed and scheme == "https" and port == 443 and _HOST.fullmatch(host)):
        raise _refused("a host that may not get the token", named, vendor)
    return found


def _refused(what: str, named: object, vendor: str) -> InvalidConnectionError:
    netloc = ""
    with suppress(ValueError):
        netloc = urlsplit(named).netloc if isinstance(named, str) else ""
    where = f" ({excerpt(netloc, 80)})" if netloc and "@" not in netloc else ""
    return InvalidConnectionError(
        f"The token endpoint's answer names {what} as the API's address{where}; nothing was sent there.",
        vendor=vendor,
        remedy="Check the connection's host: the token must come from the vendor's own address.",
    )


def _move(request: httpx.Request, base: str) -> None:
    """Send ``request`` to ``base``, where it was built on another base URL; one of an absolute URL stays."""
    built_on = request.extensions.get(BUILT_ON)
    if built_on is None or built_on == base:
        return
    old, new = httpx.URL(built_on), httpx.URL(base)
    path = request.url.raw_path.removeprefix(old.raw_path.rstrip(b"/"))
    request.url = new.copy_with(raw_path=new.raw_path.rstrip(b"/") + path)
    request.headers["Host"] = request.url.netloc.decode("ascii")
    request.extensions[BUILT_ON] = base
