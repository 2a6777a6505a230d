"""Content to draw from: JSON documents, tables, web pages, and ways to cut them."""

from __future__ import annotations

import csv
import io
from typing import Any

from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.content.base import HEAD

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)
documents = st.lists(values, max_size=6) | st.dictionaries(st.text(), values, max_size=6)
sizes = st.lists(st.integers(0, 9), max_size=60)
cells = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
PAGES = [
    b"<!doctype HTML><p>",
    b" \n<html lang=en>" + b"x" * HEAD,
    b"<!-- a comment -->\n<head>",
    b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
]


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(2, 5))
    body = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6))
    return [[f"column {number}" for number in range(width)], *body]


def as_csv(rows: list[list[str]], **dialect: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")
