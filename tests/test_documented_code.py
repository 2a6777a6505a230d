"""Blocks of the pages that `tests/test_documentation.py` does not run: they need a document, a server or a parser."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import tomllib
import warnings
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.emulator.cli import _parser as emulator_parser
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from tests.cli.conftest import parser as airflow_parser
from tests.support.airflow_features import needs_asset_partitions, needs_provider_commands, needs_retry_policy

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCS = {page.name: page.read_text() for page in PAGES}
# What a block leaves out by `...`, or of a DAG around it.
LEFT_OUT = {
    "BatchJobOperator": 'conn_id="proofy_default", request={"emails": ["ada@example.com"]}',
    "DownloadBatchResultsOperator": 'conn_id="proofy_default", job_id="7"',
}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCS[page], re.MULTILINE | re.DOTALL)


def whole(code: str) -> str:
    """A block with what it leaves out by `...`; tasks that say nothing of retries get some."""

    def arguments(found: re.Match[str]) -> str:
        retries = "" if "retries=" in code else "retries=3, "
        return f'{found[1]}({retries}task_id="task_{found.start()}", {LEFT_OUT[found[1]]},'

    return re.sub(r"\b(\w+Operator)\(\s*\.\.\.,", arguments, code)


@pytest.mark.parametrize(
    "page",
    [
        "vendors.md",
        "windows.md",
        pytest.param("durability.md", marks=needs_retry_policy),
        pytest.param("observability.md", marks=needs_asset_partitions),
    ],
)
def test_parts_of_a_dag_are_parsed_without_a_warning(page: str) -> None:
    from airflow.sdk import Asset, AssetAlias, task

    operators = (SubmitBatchJobOperator, BatchJobOperator, DownloadBatchResultsOperator)
    names: dict[str, Any] = {each.__name__: each for each in (*operators, DAG, Asset, AssetAlias)} | {"task": task}
    found = [code for code in blocks(page, "python") if not code.startswith("{")]
    assert found
    with warnings.catch_warnings(action="error"):
        for number, code in enumerate(found):
            with DAG(f"page_{number}", schedule=None):
                exec(compile(whole(code), page, "exec"), names)  # noqa: S102  what a reader does with it


@pytest.mark.parametrize("page", sorted(DOCS))
def test_values_are_values(page: str) -> None:
    for code in blocks(page, "python"):
        if code.startswith("{"):
            for value in code.replace(", …", "").replace("}\n{", "}\n\n{").split("\n\n"):
                assert isinstance(eval(value, {}), dict)  # noqa: S307
    for text in blocks(page, "json"):
        assert isinstance(json.loads(text), dict)
    for text in blocks(page, "toml"):
        assert tomllib.loads(text)
    for text in blocks(page, "ini"):
        settings = configparser.ConfigParser()
        settings.read_string(text)
        assert settings.sections()


def test_a_vendor_by_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [document] = blocks("declared-vendors.md", "toml")
    (tmp_path / "acme.toml").write_text(document)
    monkeypatch.syspath_prepend(tmp_path)
    for number, code in enumerate(blocks("declared-vendors.md", "python")):
        (tmp_path / f"acme_of_the_page_{number}.py").write_text(code)
        assert import_module(f"acme_of_the_page_{number}").Acme.name == "acme"


def test_the_script_that_downloads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [script] = blocks("downloads.md", "python")
    with Emulator(port=0) as emulator:
        job = emulator.add_job("revenuebase", ResultSpec(bytes=50_000))
        given = {
            "https://api.revenuebase.ai": emulator.urls["revenuebase"],
            "the API key": emulator.credentials["revenuebase"].password,
            "41001": job.id,
            "/data/verified/": f"{tmp_path}/verified/",
        }
        for shown, real in given.items():
            assert f'"{shown}"' in script
            script = script.replace(f'"{shown}"', json.dumps(real))
        exec(compile(script, "downloads.md", "exec"), {})  # noqa: S102
        assert capsys.readouterr().out.split()[1] == job.files()[0].sha256


def test_the_function_with_a_hook(connections: Emulator) -> None:
    job = connections.add_job("revenuebase", ResultSpec(bytes=2_000))
    names: dict[str, Any] = {}
    exec(compile(blocks("hooks.md", "python")[0], "hooks.md", "exec"), names)  # noqa: S102
    assert names["rows_of"](job.id)[0].keys() == {"email", "status"}


# Commands.


def commands(text: str, program: str) -> list[list[str]]:
    """The commands of `program` in console blocks and in a sentence, as a shell splits them."""
    typed = re.findall(rf"^\$ ({program} .*(?:(?<=\\)\n.*)*)", text, re.MULTILINE)
    named = re.findall(rf"`({program}(?: [^`\n]*)?)`", text)
    found = [shlex.split(each.replace("\\\n", " ").partition(" > ")[0], comments=True) for each in (*typed, *named)]
    return [[word for before, word in pairwise(["", *each]) if word != "…" or before.startswith("-")] for each in found]


def is_understood(parser: Any, command: list[str], capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether the program takes these words; in a sentence, arguments may be left out."""
    try:
        parser.parse_args(command[1:])
    except SystemExit:
        said = capsys.readouterr().err
        return "the following arguments are required" in said or command[-1].startswith("-")
    return True


@needs_provider_commands
@pytest.mark.parametrize("page", sorted(DOCS))
def test_airflows_commands_exist_with_their_options(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    strange = [
        command for command in commands(DOCS[page], "airflow") if not is_understood(airflow_parser(), command, capsys)
    ]
    assert strange == []


def test_the_emulators_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    found = [command for text in DOCS.values() for command in commands(text, "batchdl-emulator")]
    assert any("--env" in each for each in found)
    assert [each for each in found if not is_understood(emulator_parser(), each, capsys)] == []


def test_commands_are_found_and_a_wrong_one_is_not_understood(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(commands(DOCS["troubleshooting.md"], "airflow")) >= 8
    for wrong in ("airflow batchdl chekc", "airflow batchdl check --connection a", "airflow dag list", "airflow db x"):
        assert not is_understood(airflow_parser(), wrong.split(), capsys)


def test_extras_that_the_pages_name_exist() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
    for page, text in DOCS.items():
        for named in re.findall(r"airflow-provider-batchdl'?\[([\w,]+)\]", text):
            assert set(named.split(",")) <= known, page
