"""The generated pages, and the files beside them."""

from __future__ import annotations

from tests.reference import errors, messages, operators

PAGES = (operators, errors, messages)
