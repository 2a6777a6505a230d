"""Base URLs that token endpoints have named, per process and account; renewed with the token."""

from __future__ import annotations

_base_urls: dict[str, str | None] = {}


def awaits(key: str) -> bool:
    """True if the account's next token names its base URL, and no token has been fetched yet."""
    return key in _base_urls and _base_urls[key] is None


def expect(key: str) -> None:
    """Note that the account's tokens name its base URL."""
    _base_urls.setdefault(key, None)


def keep(key: str, base_url: str) -> None:
    """Use ``base_url`` for the account from now on."""
    _base_urls[key] = base_url


def base_url_of(key: str) -> str | None:
    """The base URL that the account's token names; None while there is none."""
    return _base_urls.get(key)


def forget_all() -> None:
    """Forget all accounts'."""
    _base_urls.clear()
