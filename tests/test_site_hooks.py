"""Links and pages of the site that lie outside of docs/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import site_hooks


@pytest.fixture(params=["https://code.test/batchdl", None])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    url: str | None = request.param
    monkeypatch.setattr(site_hooks, "source_url", lambda: url)
    return url


def test_links_lead_to_the_site_or_to_the_repository(source: str | None) -> None:
    text = "[a](cli.md#b), [c](../CONTRIBUTING.md), [r](../README.md), [m](../Makefile), [o](https://o.test), [h](#h)\n"
    made = f"[m]({source}/blob/main/Makefile)" if source else "m"
    expected = f"[a](cli.md#b), [c](contributing.md), [r](index.md), {made}, [o](https://o.test), [h](#h)\n"
    assert site_hooks.relinked(text, "docs/x.md") == expected
    assert site_hooks.relinked("[a](docs/architecture.md#b)", "CONTRIBUTING.md") == "[a](architecture.md#b)"
    block = "```markdown\n[m](../Makefile)\n```\n"
    assert site_hooks.relinked(block, "docs/x.md") == block


def test_brackets_of_messages_are_no_links_by_reference() -> None:
    assert site_hooks.escaped("at [0]['score'], `[0]['score']`") == "at [0]\\['score'], `[0]['score']`"


def test_pages_that_do_not_exist_are_left_out() -> None:
    nav = [{"A": "cli.md"}, {"B": "none.md"}, {"C": [{"D": "none.md"}]}, {"E": [{"F": "changelog.md"}]}]
    assert site_hooks.existing(nav) == [{"A": "cli.md"}, {"E": [{"F": "changelog.md"}]}]


def test_language_models_get_each_page_with_its_first_sentence() -> None:
    text = site_hooks.listed([{"Use": [{"Commands": "cli.md"}]}])
    assert re.search(r"## Use\n\n- \[Commands\]\(cli\.html\): `airflow batchdl …` shows and handles jobs .*\.$", text)
    assert site_hooks.summary("# T\n\n| a |\n\n[First](x.md) one. Second.\n") == ""
    assert site_hooks.summary("# T\n\nThe [first](x.md) one. Second.\n") == "The first one."


def test_the_repository_has_no_public_address_yet_or_a_real_one() -> None:
    url = site_hooks.source_url()
    assert url is None or url.startswith("https://")
    assert Path(site_hooks.ROOT, "pyproject.toml").exists()
