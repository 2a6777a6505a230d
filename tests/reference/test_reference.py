"""The generated pages are as the source has them, and have all of it."""

from __future__ import annotations

from types import ModuleType

import pytest

from airflow_provider_batchdl import exceptions
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.reference import errors, operators
from tests.reference.docstrings import entries, prose
from tests.reference.pages import PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.PATH.name)
def test_a_page_is_current(page: ModuleType) -> None:
    assert page.PATH.read_text() == page.rendered(), "write it again: make reference"


def test_every_error_has_a_section() -> None:
    text = errors.rendered()
    assert [name for name in exceptions.__all__ if f"\n## {name}\n" not in text] == []


def test_arguments_of_all_bases_are_found() -> None:
    names = {each.name for each in operators.arguments(BatchJobOperator)}
    assert {"conn_id", "on_uncertain_submit", "destination", "max_xcom_bytes", "if_exists"} <= names


def test_docstrings_become_markdown() -> None:
    def documented() -> None:
        """What it is, ``so``.

        More, see :class:`~a.b.C`::

            code

        Args:
            name: one
                line.
            other: two.

        Raises:
            ValueError: never.
        """

    assert prose(documented) == "What it is, `so`.\n\nMore, see `C`"
    assert entries(documented) == {"name": "one line.", "other": "two."}
    assert entries(documented, "Raises") == {"ValueError": "never."}
