"""The files that the forge and pre-commit read: what a clone does with them must hold, too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.compatibility import Records
from tests.test_packaging import PROJECT, ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
HEADINGS = {
    "SECURITY.md": ("Report a vulnerability", "Supported versions"),
    "CONTRIBUTING.md": ("Set-up", "Tests"),
    "CODE_OF_CONDUCT.md": ("Code of conduct",),
}


def loaded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_their_commit(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text())
    others = [each for each in used if not each.startswith("./")]
    assert [each for each in others if not PINNED.fullmatch(each)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_nothing_and_a_job_what_it_needs(path: Path) -> None:
    workflow = loaded(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        allowed = {"contents": "read"} if name != "publish" else {"id-token": "write"}
        assert job["permissions"] in ({}, allowed), name
        assert "uses" in job or job["timeout-minutes"] <= 90


def test_an_action_has_one_version() -> None:
    used = {each for path in WORKFLOWS for each in PINNED.findall(path.read_text())}
    assert len({each.partition("@")[0] for each in used}) == len(used)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_what_a_person_runs(path: Path) -> None:
    asked = re.findall(r"\bmake (?:--silent )?((?:[a-z-]+ ?)+)", re.sub(r"#.*", "", path.read_text()))
    assert {name for each in asked for name in each.split()} <= targets()


def test_one_gate_needs_every_job() -> None:
    jobs = loaded(GITHUB / "workflows" / "ci.yml")["jobs"]
    assert set(jobs["gate"]["needs"]) == jobs.keys() - {"gate"}
    assert jobs["gate"]["if"] == "always()"


def test_the_matrix_has_each_airflow_that_has_a_lock_and_each_python() -> None:
    matrix = loaded(GITHUB / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    older = {path.stem.removeprefix("compat-") for path in (ROOT / "requirements").glob("compat-3.*.txt")}
    newest = re.search(r"^apache-airflow==(\d+\.\d+)\.", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE)
    assert newest
    assert set(matrix["airflow"]) == older | {newest[1]}
    claimed = {each.rpartition(" :: ")[2] for each in PROJECT["classifiers"] if " :: Python :: 3." in each}
    assert claimed <= set(matrix["python"])
    # An environment that cannot be installed would keep the gate closed; the page says why there is none.
    impossible = {f"{each['airflow']} on {each['python']}" for each in matrix["exclude"]}
    assert impossible == Records.read().not_tried.keys()


def test_publishing_stores_no_token_and_attests() -> None:
    publish = loaded(GITHUB / "workflows" / "publish.yml")["jobs"]["publish"]
    [step] = [each for each in publish["steps"] if "pypi-publish" in each.get("uses", "")]
    assert step["with"]["attestations"] is True
    assert "password" not in step["with"]
    assert "secrets." not in (GITHUB / "workflows" / "publish.yml").read_text()


def test_pre_commit_runs_lint() -> None:
    [repository] = loaded(ROOT / ".pre-commit-config.yaml")["repos"]
    [hook] = repository["hooks"]
    assert (repository["repo"], hook["entry"], hook["language"]) == ("local", "make --silent lint", "system")


@pytest.mark.parametrize("path", sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.stem)
def test_issue_forms_have_what_a_form_needs(path: Path) -> None:
    form = loaded(path)
    assert form.keys() >= {"name", "description", "body"}
    ids = [each["id"] for each in form["body"] if each["type"] != "markdown"]
    assert len(set(ids)) == len(ids)
    assert {each["type"] for each in form["body"]} <= {"markdown", "input", "textarea", "dropdown", "checkboxes"}


@pytest.mark.parametrize("name", HEADINGS)
def test_pages_for_contributors_are_there(name: str) -> None:
    headings = re.findall(r"^#+ (.*)$", (ROOT / name).read_text(), re.MULTILINE)
    assert set(HEADINGS[name]) <= set(headings)
