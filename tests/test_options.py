"""The options of a download: one place, and every way to give them."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, fields
from typing import Any, get_type_hints

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_provider_batchdl._tasks.download_mixin import LandsResults
from airflow_provider_batchdl.cli.definition import get_cli_commands
from airflow_provider_batchdl.exceptions import InvalidArgumentError, InvalidRequestError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.options import DEFAULTS, NAMES, DownloadKeywords, DownloadOptions
from airflow_provider_batchdl.task_groups import batch_job
from airflow_provider_batchdl.transfer.job_download import download
from tests.support.airflow_features import DagSerialization

OPERATORS: dict[type[BaseOperator], dict[str, Any]] = {
    DownloadBatchResultsOperator: {"task_id": "task", "conn_id": "proofy_default", "job_id": "1"},
    BatchJobOperator: {"task_id": "task", "conn_id": "proofy_default", "request": {"emails": ["ada@example.com"]}},
}


def test_the_keywords_are_the_fields() -> None:
    options = get_type_hints(DownloadOptions)
    assert get_type_hints(DownloadKeywords) == {each.name: options[each.name] for each in fields(DownloadOptions)}
    for name in NAMES:
        assert f"\n        {name}: " in (DownloadOptions.__doc__ or "")


def test_they_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        DEFAULTS.sha256 = False  # type: ignore[misc]
    assert DEFAULTS.having({"sha256": False}) == DownloadOptions(sha256=False)


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("if_exists", "skpi", """if_exists must be "replace", "error" or "skip", not 'skpi'. Did you mean "skip"?"""),
        ("if_exists", None, """if_exists must be "replace", "error" or "skip", not None. Correct the argument."""),
        ("keep", "last", """keep must be "all" or "latest", not 'last'. Did you mean "latest"?"""),
        ("on_empty", "FAIL", """on_empty must be "fail", "skip" or "land", not 'FAIL'. Did you mean "fail"?"""),
        (
            "on_empty",
            "{{ x }}",
            """on_empty must be "fail", "skip" or "land", and has a template, which is not rendered""",
        ),
        ("sha256", "no", """sha256 must be True, False or "required", not 'no'."""),
        ("sha256", None, """sha256 must be True, False or "required", not None."""),
        ("manifest", 1, "manifest must be True or False, not 1."),
        ("accept_partial", "False", "accept_partial must be True or False, not 'False'."),
        ("max_connections", -3, "max_connections must be a whole number, 1 or more, not -3."),
        ("max_connections", 0, "max_connections must be a whole number, 1 or more, not 0."),
        ("max_connections", True, "max_connections must be a whole number, 1 or more, not True."),
        ("max_connections", 2.0, "max_connections must be a whole number, 1 or more, not 2.0."),
        ("max_connections", "8", "max_connections must be a whole number, 1 or more, not '8'."),
    ],
)
def test_a_wrong_value_is_refused_when_the_dag_is_read(option: str, value: object, sentence: str) -> None:
    given: dict[str, Any] = {option: value}
    for make in (
        lambda: DownloadOptions(**given),
        lambda: DownloadBatchResultsOperator(**OPERATORS[DownloadBatchResultsOperator], **given),
        lambda: BatchJobOperator(**OPERATORS[BatchJobOperator], **given),
        lambda: batch_job("proofy_default", {"emails": []}, **given),
    ):
        with DAG("dag", schedule=None), pytest.raises(ValueError, match=option) as caught:
            make()
        assert str(caught.value).startswith(sentence)
        assert isinstance(caught.value, InvalidArgumentError)
        assert isinstance(caught.value, InvalidRequestError)


def test_a_skip_needs_the_manifest_that_tells_it() -> None:
    with pytest.raises(InvalidArgumentError, match='if_exists must be "replace" where manifest is False: it is what'):
        DownloadOptions(if_exists="skip", manifest=False)
    assert DownloadOptions(if_exists="skip").writes_manifest(1)


@pytest.mark.parametrize("kind", OPERATORS)
def test_every_operator_takes_every_option(kind: type[BaseOperator]) -> None:
    given: dict[str, Any] = {
        "accept_partial": True,
        "manifest": True,
        "if_exists": "skip",
        "sha256": False,
        "max_connections": 2,
        "count_gzip_rows": True,
        "join_pages": True,
    }
    defaults: dict[str, Any] = {"on_empty": "land", "sha256": True}
    with DAG("dag", schedule=None, default_args=defaults) as dag:
        task: Any = kind(**OPERATORS[kind], **given)
        kind.partial(**{**OPERATORS[kind], "task_id": "mapped"}, **given).expand(destination=["/tmp/a", "/tmp/b"])
        kind.partial(**{**OPERATORS[kind], "task_id": "by_option"}).expand(if_exists=["skip", "error"])
        with pytest.raises(TypeError, match="if_exist"):
            kind.partial(**{**OPERATORS[kind], "task_id": "misspelt"}, if_exist="skip")
    assert task.options == DownloadOptions(on_empty="land", **given)
    unmapped: Any = dag.task_dict["mapped"].unmap({"destination": "/tmp/a"})
    assert unmapped.options == DownloadOptions(on_empty="land", **given)
    other: Any = dag.task_dict["by_option"].unmap({"if_exists": "error"})
    assert other.options == DownloadOptions(on_empty="land", if_exists="error")
    DagSerialization.serialize_dag(dag)


def test_a_misspelt_option_is_refused_by_the_group() -> None:
    with DAG("dag", schedule=None):
        with pytest.raises(TypeError, match="if_exist"):
            batch_job("proofy_default", {"emails": []}, if_exist="skip")  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="if_exist"):
            batch_job.partial(if_exist="skip")


def test_the_signatures_and_the_command_name_every_option() -> None:
    for taker in (LandsResults.__init__, batch_job.function, BatchApiHook.download, download):
        parameters = inspect.signature(taker).parameters
        assert {name: parameters[name].default for name in NAMES} == {name: getattr(DEFAULTS, name) for name in NAMES}
    [group] = get_cli_commands()
    [command] = [each for each in group.subcommands if each.name == "download"]
    flags = {flag for argument in command.args for flag in argument.flags}
    assert {f"--{name.replace('_', '-')}" for name in NAMES} <= flags
