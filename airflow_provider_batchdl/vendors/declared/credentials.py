"""A connection's credentials on a request, by the kind that a document names."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import httpx

from airflow_provider_batchdl._redaction.redactor import remember
from airflow_provider_batchdl.vendors.auth import BearerAuth, HeaderKeyAuth, QueryKeyAuth
from airflow_provider_batchdl.vendors.declared.document import Basic, Bearer, Document, HeaderKey, OAuth2, QueryKey
from airflow_provider_batchdl.vendors.declared.templates import Values, fill_path, fill_texts
from airflow_provider_batchdl.vendors.oauth2 import OAuth2ClientCredentials, token_url_of

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.account import Account


class WithHeaders(httpx.Auth):
    """Another auth, and headers that go where the credentials go: to the connection's origin."""

    def __init__(self, auth: httpx.Auth, headers: Mapping[str, str]) -> None:
        self._auth, self._headers = auth, headers
        self.requires_response_body = auth.requires_response_body

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put both on ``request``."""
        request.headers.update(self._headers)
        yield from self._auth.sync_auth_flow(request)

    def async_auth_flow(self, request: httpx.Request):  # type: ignore[no-untyped-def]
        """The same, for the async client."""
        request.headers.update(self._headers)
        return self._auth.async_auth_flow(request)


def auth_of(document: Document, account: Account, values: Values) -> httpx.Auth:
    """The credentials of ``account``, and the document's headers for all requests."""
    headers = fill_texts(document.headers, values)
    auth = _credentials(document, account, values)
    return WithHeaders(auth, headers) if headers else auth


def check_credentials(document: Document, account: Account, vendor: str) -> None:
    """Refuse credentials that HTTP Basic authentication cannot send (RFC 7617, section 2).

    The server would end the login at its first colon, and take the rest for a part of the password.
    """
    if not isinstance(document.auth, Basic):
        return
    user, remedy = "login", "Use a login without it."
    if not account.login:
        user, remedy = "password", "If a login is before the ':', put it into the login field."
    for field, value in (("login", account.login or ""), ("password", account.secret)):
        if field == user and ":" in value:
            problem = "has a ':' in it, which ends the login in HTTP Basic authentication"
            raise account.wrong(field, problem, remedy, vendor=vendor)
        if any(unicodedata.category(letter) == "Cc" for letter in value):
            raise account.wrong(field, "has a control character in it", "Paste it anew.", vendor=vendor)


def token_url(document: Document, account: Account, values: Values) -> str:
    """Where the client's secret goes for a token."""
    assert isinstance(document.auth, OAuth2)  # noqa: S101 for the others there is none
    named = document.auth.token_url
    scheme, _, rest = (named or "").partition("://")
    default = f"{scheme}://{fill_path(rest, values)}" if named else document.auth.token_path
    return token_url_of(account, default, vendor=document.name)


def _credentials(document: Document, account: Account, values: Values) -> httpx.Auth:
    kind, secret = document.auth, account.secret
    if isinstance(kind, HeaderKey):
        return HeaderKeyAuth(kind.name, f"{kind.prefix}{secret}")
    if isinstance(kind, QueryKey):
        return QueryKeyAuth(kind.name, secret)
    if isinstance(kind, Basic):
        coded = _coded(account.login or secret, secret if account.login else "")
        return HeaderKeyAuth("Authorization", f"Basic {coded}")
    if isinstance(kind, OAuth2) and account.login:
        return OAuth2ClientCredentials(
            token_url=token_url(document, account, values),
            form=fill_texts(kind.form, values),
            header=kind.name,
            prefix=kind.prefix,
            client_id=account.login,
            client_secret=secret,
            cache_key=account.fingerprint,
            vendor=document.name,
            basic=_coded(quote_plus(account.login), quote_plus(secret)) if kind.client_auth == "basic" else None,
            base_url=account.base_url,
            base_url_pointer=kind.base_url_pointer,
            base_url_hosts=kind.base_url_hosts,
        )
    assert isinstance(kind, Bearer | OAuth2)  # noqa: S101 the union has no other
    return BearerAuth(secret)


def _coded(login: str, password: str) -> str:
    coded = base64.b64encode(f"{login}:{password}".encode()).decode()
    remember(coded)
    return coded
