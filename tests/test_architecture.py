"""docs/architecture.md and CONTRIBUTING.md speak of files that exist, and the picture is the import plan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_layers import PLAN

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_batchdl"
PAGE = ROOT / "docs" / "architecture.md"
PAGES = [PAGE, ROOT / "CONTRIBUTING.md"]
CHANGES = (
    "a new destination", "a new error shape", "a new state", "zstd", "a new poll policy", "a webhook", "a new Airflow",
    "a new operator argument", "a changed log line", "a new vendor",
)  # fmt: skip


def paths_on(page: Path) -> list[str]:
    """Everything in code style that is a path: it has a slash, or the suffix of a file."""
    words = re.findall(r"`([^`\s]+)`", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))
    return [each for each in words if re.fullmatch(r"[\w./-]+(?:/|\.(?:py|md|toml|in|txt))|[\w-]+(?:/[\w-]+)+", each)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_exists(page: Path) -> None:
    found = paths_on(page)
    assert len(found) > 10
    assert [each for each in found if not ((ROOT / each).exists() or (PACKAGE / each).exists())] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    assert [each for each in links if not each.startswith("http") and not (page.parent / each).exists()] == []


@pytest.mark.parametrize("change", CHANGES)
def test_the_page_names_the_file_to_open_for_a_change(change: str) -> None:
    [row] = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {change}")]
    _, opened, _ = row.strip("|").split("|")
    assert re.search(r"`[\w/]+\.py`|`[\w/]+/`", opened), row


def rows_of_the_picture() -> list[set[str]]:
    """The parts on each line of the picture, from the top."""
    picture = re.search(r"^```text\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert picture
    lines = [line.strip() for line in picture[1].splitlines()]
    return [set(re.split(r"\s{4,}", line)[0].split()) for line in lines if not line.startswith("─")]


def test_the_picture_has_every_part_of_the_plan() -> None:
    parts = {part.partition(".")[0] for part in PLAN} - {"__init__", "emulator"}
    assert set.union(*rows_of_the_picture()) == parts


def test_the_picture_shows_what_the_plan_allows() -> None:
    row_of = {part: row for row, parts in enumerate(rows_of_the_picture()) for part in parts}
    for part, allowed in PLAN.items():
        for each in allowed:
            upper, lower = part.partition(".")[0], each.partition(".")[0]
            if lower not in ("__init__", "emulator"):
                assert row_of[lower] >= row_of[upper], f"{upper} imports {lower}, which stands above it"
