"""docs/observability.md has the log lines as the source has them."""

from __future__ import annotations

import ast

from tests.log_lines import PAGE, SECTIONS, log_lines, text_of, updated


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == updated(PAGE.read_text()), "write it again: make log-lines"


def test_every_part_of_the_package_that_logs_has_a_section() -> None:
    parts = {part for names in SECTIONS.values() for part in names}
    assert {each.module.partition("/")[0].removesuffix(".py") for each in log_lines()} <= parts


def test_lines_of_all_levels_are_found() -> None:
    assert {"info", "warning", "error"} <= {each.level for each in log_lines()}
    assert len(log_lines()) > 80


def test_values_are_left_open() -> None:
    def text(source: str) -> str | None:
        return text_of(ast.parse(source, mode="eval").body)

    assert text("'Job %s has %d files, %.1f %% in %-10s'") == "Job … has … files, … % in …"
    assert text("message") is None
