"""The reference of a vendor's document in docs/declared-vendors.md, and its JSON Schema: both from the structs.

Run as ``python -m tests.declared_page`` to write them again.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from tests.declared_schema import described, schema, structs
from tests.vendors.declared.suite.limits import LIMITS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "declared-vendors.md"
SCHEMA = ROOT / "docs" / "declared-vendor.schema.json"
LIMITS_START, LIMITS_END = "<!-- twins -->", "<!-- end of the twins -->"
START, END = "<!-- reference -->", "<!-- end of the reference -->"

TITLES = {
    "Document": "The document",
    "Bearer": '`auth`, `kind = "bearer"`',
    "HeaderKey": '`auth`, `kind = "header"`',
    "QueryKey": '`auth`, `kind = "query"`',
    "Basic": '`auth`, `kind = "basic"`',
    "OAuth2": '`auth`, `kind = "oauth2"`',
    "Call": "`status`, `cancel`, and every other request",
    "Step": "`submit`",
    "FileSource": "`files`",
    "JobShape": "`job`",
    "ListCall": "`list`",
    "Cursor": '`list.paging`, `kind = "cursor"`',
    "Pages": '`list.paging`, `kind = "pages"`',
    "Offset": '`list.paging`, `kind = "offset"`',
    "Link": '`list.paging`, `kind = "link"`',
    "Header": '`list.paging`, `kind = "header"`',
    "FindByKey": '`find`, `kind = "key"`',
    "FindByEcho": '`find`, `kind = "echo"`',
    "FindByTime": '`find`, `kind = "time"`',
    "BalanceCall": "`balance`",
    "CheckCall": "`check`",
    "Errors": "`errors`",
    "ErrorRule": "`errors.rules`",
    "Member": "`request.NAME`",
    "FileRules": "`file`",
    "ExtraMember": "`extra.NAME`",
}


def rendered() -> str:
    """The section of the page."""
    parts = []
    for name, kind in structs().items():
        text, members = described(kind)
        inherited = set(described(kind.__mro__[1])[1]) if name in _CALLS else set()
        own = {member: words for member, words in members.items() if member not in inherited or member == "method"}
        more = " It has the members of every other request, too." if name in _CALLS else ""
        body = [
            f"| `{member}` | {_default(kind, member)} | {_cell(words)}{_values(kind, member)} |"
            for member, words in own.items()
        ]
        table = ["| member | left out | |", "|---|---|---|", *body, ""] if body else []
        parts.append("\n".join([f"### {TITLES[name]}", "", _code(text) + more, "", *table]))
    return "\n".join(parts)


_CALLS = {"Step", "ListCall", "BalanceCall", "CheckCall"}


def _default(kind: type[msgspec.Struct], member: str) -> str:
    field = next(each for each in msgspec.structs.fields(kind) if each.encode_name == member)
    if field.required:
        return "required"
    value: Any = field.default
    if value is msgspec.NODEFAULT or value in (None, "", (), {}) or isinstance(value, msgspec.Struct):
        return ""
    return f"`{json.dumps(value)}`"


def _values(kind: type[msgspec.Struct], member: str) -> str:
    """The values that a member may have, where there are few."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    field = next(each.type for each in info.fields if each.encode_name == member)
    types = [field, *getattr(field, "types", ())]
    types += [getattr(each, name) for each in types for name in ("value_type", "item_type") if hasattr(each, name)]
    found = [value for each in types if isinstance(each, msgspec.inspect.LiteralType) for value in each.values]
    return f" One of {', '.join(f'`{value}`' for value in found)}." if len(found) > 1 else ""


def _cell(words: str) -> str:
    return _code(words).replace("|", "\\|")


def _code(text: str) -> str:
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def limits() -> str:
    """The table of what the documents of the built-in vendors cannot say."""
    rows = [
        f"| {each.vendor} | {each.words} | {', '.join(sorted({f'`{name}`' for name, _ in each.tests}))} |"
        for each in LIMITS
    ]
    return "\n".join(["| vendor | no document can say | shown by |", "|---|---|---|", *rows])


def updated(page: str) -> str:
    """The page's text with its two sections as they should be."""
    return _with(_with(page, LIMITS_START, LIMITS_END, limits()), START, END, rendered())


def _with(page: str, start: str, end: str, section: str) -> str:
    before, _, rest = page.partition(start)
    _, _, after = rest.partition(end)
    assert rest, f"{PAGE.name} lacks {start!r}"
    assert after, f"{PAGE.name} lacks {end!r}"
    return f"{before}{start}\n{section}\n{end}{after}"


def schema_text() -> str:
    """The text of the schema's file."""
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text()))
    SCHEMA.write_text(schema_text())
