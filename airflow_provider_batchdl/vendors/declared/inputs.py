"""The parts of a vendor's document that say what a connection and a task give.

The docstrings are the reference: ``docs/declared-vendors.md`` and the JSON Schema are written from them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from airflow_provider_batchdl.vendors.declared.calls import END, Part

Suffix = Annotated[str, Meta(pattern=rf"^\.[^A-Z./\s]+{END}", description="suffix like '.csv', in small letters")]
_WORD = "[A-Za-z0-9_.+-]+"
MediaType = Annotated[
    str, Meta(pattern=f"^{_WORD}/{_WORD}(; ?{_WORD}={_WORD})?{END}", description="media type like 'text/csv'")
]

# Members of a connection's extra of which one names the document.
MEMBERS = ("vendor", "vendor_file", "vendor_document")


class ExtraMember(Part, frozen=True, kw_only=True):
    """A member of the connection's extra that holes can use as ``{extra.NAME}``.

    Args:
        description: a line for people.
        default: its value where the connection has none.
        required: true if a connection without it is refused.
        values: the only ones, if given.
        secret: true if it is to be hidden in logs and messages.
    """

    description: str = ""
    default: str | None = None
    required: bool = False
    values: tuple[str, ...] = ()
    secret: bool = False


class Member(Part, frozen=True, kw_only=True):
    """A member of a request that a task may make, checked before anything is sent.

    Args:
        kind: its kind, or that of the items if it is a list; ``any`` for one of several.
        many: true for a list.
        required: true if no request is without it.
        least: least items of the list.
        most: most items of the list.
        values: the only ones, by the vendor's own documents.
        reported: further values, reported by others.
        documented: false if the vendor's own documents lack it: then it is never refused.
    """

    kind: Literal["any", "text", "whole", "flag", "object", "moment", "day"] = "text"
    many: bool = False
    required: bool = False
    least: int = 0
    most: int | None = None
    values: tuple[str, ...] = ()
    reported: tuple[str, ...] = ()
    documented: bool = True


class FileShape(Part, frozen=True, kw_only=True):
    """The files that the vendor takes. Left out: any if a step uploads one, else none.

    Args:
        types: the media type for each suffix that it takes; any suffix if empty.
        required: true if every task needs a file.
        largest: most bytes.
        has_addresses: true if it is a list of email addresses.
        column: the field that an address is in, if a row has more.
    """

    types: dict[Suffix, MediaType] = field(default_factory=dict)
    required: bool = False
    largest: int | None = None
    has_addresses: bool = False
    column: str | None = None
