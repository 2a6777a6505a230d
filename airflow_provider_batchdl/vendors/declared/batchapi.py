"""Connections of type ``batchapi``: the vendor is a document that the connection's extra names or holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.exceptions import InvalidConnectionError
from airflow_provider_batchdl.vendors.base import Vendor
from airflow_provider_batchdl.vendors.declared.document import MEMBERS, Document, OAuth2
from airflow_provider_batchdl.vendors.declared.loading import bundled, bundled_names
from airflow_provider_batchdl.vendors.declared.reading import LONGEST_NAME, DocumentError, meant, read
from airflow_provider_batchdl.vendors.declared.vendor import Declared
from airflow_provider_batchdl.vendors.words import stripped

ReadFile = Callable[[str], bytes]


class BatchApi(Declared):
    """Any batch API, as a document describes it.

    The extra of the connection has one of ``vendor``, the name of a document that comes with this package;
    ``vendor_file``, the path or URL of a document; and ``vendor_document``, the document itself, as an object or text.
    Its other members are those that the document declares, and those of all vendors.
    """

    name = "batchapi"
    label = "Batch API"
    default_host = ""
    docs_url = "https://pypi.org/project/airflow-provider-batchdl/"
    states: ClassVar[dict[str, Any]] = {}
    poll_interval = 30.0
    rate_limits = ()

    @classmethod
    def chosen_by(
        cls, extra: Mapping[str, Any], conn_id: str | None, read_file: ReadFile | None = None
    ) -> tuple[type[Vendor], Mapping[str, Any]]:
        """The class of the document that a connection's extra names or holds, and the other members of the extra."""
        given = [name for name in MEMBERS if extra.get(name) not in (None, "", {})]
        if len(given) != 1:
            problem = (
                f"has {' and '.join(given)}, which each name a vendor" if given else f"names no vendor{_meant(extra)}"
            )
            remedy = (
                f'Set one of "vendor" ({", ".join(bundled_names())}), "vendor_file" (a path or URL of a document) and '
                '"vendor_document" (the document).'
            )
            raise InvalidConnectionError.of_field("extra", problem, conn_id=conn_id, vendor=cls.name, remedy=remedy)
        [member] = given
        try:
            document = _document(member, extra[member], read_file or (lambda source: Path(source).read_bytes()))
            _check_trust(member, document, extra)
        except DocumentError as error:
            raise InvalidConnectionError.of_field(
                f"extra field {member!r}",
                f"cannot be used: {error.problem}",
                conn_id=conn_id,
                vendor=cls.name,
                remedy="Correct it; `airflow batchdl vendor check` explains a document.",
            ) from None
        return cls.of(document), {name: value for name, value in extra.items() if name not in MEMBERS}

    @classmethod
    def of(cls, document: Document) -> type[Declared]:
        """The class of a document; ``scope`` tells its accounts from those of another document of that name."""
        kind = super().of(document)
        content = msgspec.json.encode(document, order="deterministic")
        kind.scope = hashlib.blake2b(content, digest_size=16).hexdigest()
        return kind


def _document(member: str, value: Any, read_file: ReadFile) -> Document:
    if member == "vendor_document":
        if not isinstance(value, str | Mapping):
            raise DocumentError("it is neither an object nor text", member)
        return read(value, member)
    if not isinstance(value, str):
        raise DocumentError("it is no text", member)
    text = stripped(value)
    if member == "vendor":
        if text in bundled_names():
            return bundled(text)
        words = f"no bundled document is called {excerpt(text, 40)!r}{meant(text, bundled_names())}"
        raise DocumentError(words, text)
    try:
        content = read_file(text)
    except Exception as error:  # noqa: BLE001 any store's; its message may quote a URL with a secret
        raise DocumentError(f"{excerpt(text, LONGEST_NAME)} cannot be read ({type(error).__name__})", text) from None
    return read(content, text)


def _check_trust(member: str, document: Document, extra: Mapping[str, Any]) -> None:
    """Refuse what only a package's document may say: whoever edits a connection could send its token elsewhere."""
    from airflow_provider_batchdl import vendors

    if member != "vendor" and isinstance(document.auth, OAuth2) and document.auth.base_url_hosts:
        raise DocumentError(
            "auth.base_url_hosts: a document that comes from a connection cannot name hosts that may see the token",
            document.name,
        )
    names_token_url = isinstance(document.auth, OAuth2) and document.auth.token_url is not None
    if member == "vendor_file" and names_token_url and not stripped(str(extra.get("token_url") or "")):
        raise DocumentError(
            'auth.token_url: a file alone cannot say where the secret goes: set the connection extra "token_url", too',
            document.name,
        )
    if vendors.is_built_in(document.name):
        raise DocumentError(f"name: {document.name!r} is that of a built-in vendor", document.name)


def _meant(extra: Mapping[str, Any]) -> str:
    for name in (each for each in extra if each not in MEMBERS):
        close = get_close_matches(str(name).lower(), MEMBERS, n=1)
        if close:
            return f": instead of {excerpt(name, 40)!r}, did you mean {close[0]!r}?"
    return ""
