"""The parts of a vendor's document that say what a connection and a task give.

The docstrings are the reference: ``docs/declared-vendors.md`` and the JSON Schema are written from them.
"""

from __future__ import annotations

from airflow_provider_batchdl.vendors.declared.calls import Part

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
