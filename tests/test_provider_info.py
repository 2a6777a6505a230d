"""What Airflow's UI and command line learn of the provider, without a request to either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module, resources
from importlib.metadata import entry_points
from typing import Any

import jsonschema
import pytest

from airflow_provider_batchdl import __version__, vendors
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.links import BatchJobLink
from airflow_provider_batchdl.provider_info import get_provider_info
from tests.support.airflow_features import ProvidersManagerTaskRuntime, needs_provider_commands

INFO = get_provider_info()
TYPES = {each["connection-type"]: each for each in INFO["connection-types"]}


@pytest.fixture(scope="module")
def manager() -> Iterator[Any]:
    from airflow.providers_manager import ProvidersManager

    return ProvidersManager()  # type: ignore[no-untyped-call]


def test_it_fits_airflows_schema() -> None:
    schema = json.loads((resources.files("airflow") / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


def test_the_package_announces_it() -> None:
    [entry] = [
        each
        for each in entry_points(group="apache_airflow_provider")
        if each.value.startswith("airflow_provider_batchdl")
    ]
    assert entry.load() is get_provider_info


def test_airflow_finds_it(manager: Any) -> None:
    assert manager.providers["airflow-provider-batchdl"].version == __version__


def test_airflow_finds_every_hook(manager: Any) -> None:
    for name in TYPES:
        hook = ProvidersManagerTaskRuntime().hooks[name]  # type: ignore[no-untyped-call]
        assert hook is not None
        assert (hook.connection_type, hook.package_name) == (name, "airflow-provider-batchdl")


def test_airflow_finds_the_decorator(manager: Any) -> None:
    from airflow_provider_batchdl.decorators.batch_job import batch_job_task

    found = ProvidersManagerTaskRuntime().taskflow_decorators  # type: ignore[no-untyped-call]
    assert found["batch_job"] is batch_job_task


def test_airflow_finds_the_button(manager: Any) -> None:
    assert f"{BatchJobLink.__module__}.{BatchJobLink.__qualname__}" in manager.extra_links_class_names


def test_there_is_a_form_for_every_vendor() -> None:
    assert set(TYPES) == set(vendors._BUILT_IN)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_forms_hook(name: str) -> None:
    module, _, attribute = TYPES[name]["hook-class-name"].rpartition(".")
    hook = getattr(import_module(module), attribute)
    assert issubclass(hook, BatchApiHook)
    assert (hook.conn_type, hook.hook_name) == (name, TYPES[name]["hook-name"])
    assert hook.default_conn_name == f"{name}_default"
    assert import_module(module).__all__ == [attribute]


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_forms_fields(name: str) -> None:
    form, vendor = TYPES[name], vendors.vendor_class(name)
    behaviour = form["ui-field-behaviour"]
    host = vendor.default_host or "the document's"
    assert behaviour["placeholders"]["host"] == f"empty for {host}"
    assert "password" in behaviour["relabeling"]
    assert {"schema", "port"} <= set(behaviour["hidden-fields"])
    assert ("login" in behaviour["relabeling"]) is ("login" not in behaviour["hidden-fields"])
    assert "extra" not in behaviour["hidden-fields"]
    assert {"poll_interval", "rate_limit"} <= set(form["conn-fields"])
    for field in form["conn-fields"].values():
        jsonschema.Draft7Validator.check_schema(field["schema"])
        if "default" in field["schema"]:
            jsonschema.validate(field["schema"]["default"], field["schema"])


def test_a_secret_field_is_masked() -> None:
    assert TYPES["batchcom"]["conn-fields"]["project_key"]["schema"]["format"] == "password"


@pytest.mark.parametrize("key", ["hooks", "operators", "sensors", "triggers"])
def test_every_module_it_names_is_there(key: str) -> None:
    for group in INFO[key]:
        for name in group["python-modules"]:
            import_module(name)


@needs_provider_commands
def test_every_command_it_names_is_there() -> None:
    """Airflow imports a command only when it is called, and its name is text until then."""
    from airflow.cli.cli_parser import get_parser

    [named] = INFO["cli"]
    module, _, function = named.rpartition(".")
    [group] = getattr(import_module(module), function)()
    commands = {command.name for command in group.subcommands}
    assert commands == {"jobs", "job", "cancel", "balance", "download", "check", "vendor"}
    [vendor] = [each for each in group.subcommands if each.name == "vendor"]
    assert {each.name for each in vendor.subcommands} == {"check", "try", "new"}
    for command in group.subcommands:
        if command is vendor:
            continue
        home = "check" if command.name == "check" else "jobs"
        assert callable(getattr(import_module(f"airflow_provider_batchdl.cli.{home}"), command.name))
    assert get_parser().parse_args(["batchdl", "check", "--conn-id", "x"]).conn_id == ["x"]
