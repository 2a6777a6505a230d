"""What the README, the documentation and the example DAGs show is what a user should copy."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from airflow.sdk import DAG, task

from airflow_provider_batchdl._tasks.warnings import RetriesWarning
from airflow_provider_batchdl.options import NAMES

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "example_dags").rglob("example_*.py"))
OPERATORS = {"SubmitBatchJobOperator", "BatchJobSensor", "DownloadBatchResultsOperator", "BatchJobOperator"}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    lost = []
    for path, anchor in re.findall(r"\]\((?!https?://)([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(f"{path}#{anchor}")
    assert lost == []


# mkdocs.yml names a function of an extension's, which no safe loader knows.
SETTINGS = re.sub(r"!!python/\S+", "", (ROOT / "mkdocs.yml").read_text())
SITE: dict[str, Any] = yaml.safe_load(SETTINGS)


def in_navigation(entries: list[Any]) -> list[str]:
    """The pages of a part of the site's navigation."""
    pages: list[str] = []
    for entry in entries:
        [target] = entry.values()
        pages += in_navigation(target) if isinstance(target, list) else [target]
    return pages


def test_every_page_has_one_place_on_the_site() -> None:
    pages = in_navigation(SITE["nav"])
    assert len(set(pages)) == len(pages)
    assert {page.name for page in PAGES if page.parent == ROOT / "docs"} <= set(pages), "add it to nav in mkdocs.yml"


def snippets(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


CODE = [(f"{page.name}-{number}", code) for page in PAGES for number, code in enumerate(snippets(page))]


def operators_in(code: str) -> list[ast.Call]:
    """The operators that a snippet makes; one that leaves arguments out, by `...`, shows something else."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    named = [call for call in calls if ast.unparse(call.func).removesuffix(".partial") in OPERATORS]
    return [call for call in named if "..." not in map(ast.unparse, call.args)]


def is_code(snippet: str) -> bool:
    """Whether it is not what something returns."""
    return not snippet.startswith("{")


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in CODE if is_code(code)])
def test_every_task_that_is_shown_has_retries(code: str) -> None:
    set_for_all = re.search(r"default_args=\{[^}]*\"retries\": [1-9]", code) is not None
    for call in operators_in(code):
        assert set_for_all or any(each.arg == "retries" for each in call.keywords), ast.unparse(call)


def test_snippets_are_found() -> None:
    assert len([code for _, code in CODE if is_code(code) and operators_in(code)]) >= 3


# Pages whose code runs as it is; on the others it is checked to be Python, and that its tasks have retries.
RUN = ("README.md", "quickstart.md", "hooks.md", *(page.name for page in PAGES if page.name.startswith("howto-")))


@pytest.mark.parametrize("page", RUN)
def test_what_a_page_shows_is_parsed_without_a_warning(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @task
    def extract() -> str:
        return "/data/contacts.csv"

    @task
    def check() -> None: ...

    @task
    def load(landing: object) -> None: ...

    [path] = [each for each in PAGES if each.name == page]
    with warnings.catch_warnings(action="error"), DAG("page"):
        names: dict[str, Any] = {"extract": extract, "check": check(), "load": load, "__file__": "/home/dags/page.py"}
        for code in filter(is_code, snippets(path)):
            exec(compile(code, page, "exec"), names)  # noqa: S102  what a reader does with it


def test_settings_of_airflow_that_the_pages_name_exist() -> None:
    from airflow.configuration import conf

    text = (ROOT / "docs" / "configuration.md").read_text()
    named = re.findall(r"^\| `\[(\w+)\] (\w+)`(?:, `\[(\w+)\] (\w+)`)? \| `(\w+)` \|", text, re.MULTILINE)
    assert len(named) >= 10
    for first, key, second, other, default in named:
        for section, name in [(first, key), (second, other)]:
            assert not name or str(conf.get_default_value(section, name)).lower() == default.lower(), (
                f"[{section}] {name}"
            )


def test_options_on_the_settings_page_are_arguments() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text().partition("## Of a task")[2].partition("## ")[0]
    named = {name for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    operators = (ROOT / "docs" / "operators.md").read_text()
    assert named
    assert [name for name in named if f"\n### {name}\n" not in operators] == []


def test_options_of_the_download_command_are_on_its_page() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    flags = [name.replace("_", "-") for name in NAMES]
    assert [flag for flag in flags if f"`--{flag}" not in text and f"`--no-{flag}" not in text] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_shell_blocks_are_commands_that_a_shell_can_read(page: Path) -> None:
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        for command in re.findall(r"^\$ (.*(?:\\\n.*)*)", block, re.MULTILINE):
            script = re.sub(r"<[^>]*>", "PLACE", command)
            checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
            assert checked.returncode == 0, f"{command}: {checked.stderr}"


def test_make_targets_that_the_pages_name_exist() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        assert set(re.findall(r"`make ([a-z][a-z-]*)", page.read_text())) <= known, page.name


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_retries_outlets_and_a_place_of_its_own(path: Path) -> None:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings(action="error", category=RetriesWarning):
        spec.loader.exec_module(module)
    assert all(each.retries for each in module.dag.tasks)
    [landing] = [each for each in module.dag.tasks if "partition_key" in each.template_fields]
    settings: dict[str, Any] = getattr(landing, "partial_kwargs", None) or vars(landing)
    assert settings["outlets"]
    assert "{{ run_id }}" in settings["destination"]
    assert settings.get("deferrable", True)
