"""What Airflow's provider registry reads of this package, and the addresses that it is found by.

The registry's rules were read in apache/airflow, `dev/registry/extract_parameters.py` and `registry_contract_models.py`
(main, 2026-11). Of `.airflow-registry.yaml` no schema is published; astronomer-cosmos, listed there, has these keys.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml  # type: ignore[import-untyped]

from airflow_provider_batchdl import __version__
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.provider_info import get_provider_info
from tests.test_packaging import PROJECT, ROOT

REGISTRY: dict[str, Any] = yaml.safe_load((ROOT / ".airflow-registry.yaml").read_text())
URLS: dict[str, str] = PROJECT["urls"]
KINDS = {"operators": "operator", "sensors": "sensor", "hooks": "hook", "triggers": "trigger"}
TEXT = {"type": "string", "minLength": 1}
BOOLEAN = {"type": "boolean"}
URL = {"type": "string", "pattern": "^https://"}

LISTED = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["module", "description"],
        "additionalProperties": False,
        "properties": {"module": {"type": "string", "pattern": r"^[a-z_.]+\.\w+$"}, "description": TEXT},
    },
}
FILE = {
    "type": "object",
    "required": ["package-name", "display-name", "description", "docs-url", "source-url", *KINDS],
    "additionalProperties": False,
    "properties": {
        "package-name": TEXT,
        "display-name": TEXT,
        "description": TEXT,
        "docs-url": URL,
        "source-url": URL,
        "other": LISTED,
        **dict.fromkeys(KINDS, LISTED),
    },
}
MODULE = {  # ModuleContract
    "type": "object",
    "required": ["name", "type", "import_path", "short_description", "docs_url", "source_url", "category"],
    "additionalProperties": False,
    "properties": {
        **dict.fromkeys(["id", "name", "import_path", "module_path", "short_description", "category"], TEXT),
        **dict.fromkeys(["provider_id", "provider_name"], TEXT),
        **dict.fromkeys(["docs_url", "source_url"], URL),
        "type": {"enum": list(KINDS.values())},
        **dict.fromkeys(["supports_durable_execution", "supports_deferrable"], BOOLEAN),
    },
}
FORMAT = {"enum": ["password", "multiline"]}
FIELD = {  # CustomConnectionFieldContract, as it is read from `conn-fields`
    "type": "object",
    "required": ["label", "schema"],
    "properties": {
        "label": TEXT,
        "schema": {
            "type": "object",
            "required": ["type"],
            "properties": {"format": {"enum": ["password", "multiline"]}},
        },
    },
}


def named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def first_paragraph(value: object) -> str:
    function = getattr(value, "function", value)  # a task group's
    text = " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
    return re.sub(r"; see :class:`\w+`( for its methods)?", "", text).replace("``", "`")


def provided(kind: str) -> Iterator[tuple[str, type]]:
    """The path and the class of each operator, sensor, hook or trigger that the provider's metadata leads to."""
    for integration in get_provider_info()[kind]:
        for name in integration["python-modules"]:
            module = importlib.import_module(name)
            for each in module.__all__:
                if inspect.isclass(getattr(module, each)):
                    yield f"{name}.{each}", getattr(module, each)


def is_durable(value: type) -> bool:
    return getattr(value, f"_{value.__name__}__supports_durable_execution", None) is True


def is_deferrable(value: Any) -> bool:
    source = inspect.getsource(value.execute) if hasattr(value, "execute") else ""
    return "self.deferrable" in source or "self.defer" in source


def test_the_file_has_the_registrys_keys() -> None:
    jsonschema.validate(REGISTRY, FILE)
    assert REGISTRY["package-name"] == PROJECT["name"]
    info = get_provider_info()
    assert (REGISTRY["display-name"], REGISTRY["description"]) == (info["name"], info["description"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_lists_what_the_provider_has(kind: str) -> None:
    assert [each["module"] for each in REGISTRY[kind]] == [path for path, _ in provided(kind)]


@pytest.mark.parametrize(
    "entry", [each for kind in (*KINDS, "other") for each in REGISTRY[kind]], ids=lambda e: e["module"]
)
def test_the_file_says_what_the_docstrings_say(entry: dict[str, str]) -> None:
    assert entry["description"] == first_paragraph(named(entry["module"]))


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_registry_extracts_fits_its_contract(kind: str) -> None:
    for path, value in provided(kind):
        assert not value.__name__.startswith(("_", "Base"))  # the registry leaves these out
        entry = {
            "id": path,
            "name": value.__name__,
            "type": KINDS[kind],
            "import_path": path,
            "module_path": value.__module__,
            "short_description": first_paragraph(value),
            "docs_url": REGISTRY["docs-url"],
            "source_url": f"{URLS['Source']}/blob/{__version__}/{value.__module__.replace('.', '/')}.py",
            "category": get_provider_info()[kind][0]["integration-name"].lower(),
            "provider_id": "batchdl",
            "provider_name": REGISTRY["display-name"],
            "supports_durable_execution": is_durable(value),
            "supports_deferrable": is_deferrable(value),
        }
        jsonschema.validate(entry, MODULE)


def test_connection_forms_fit_the_registrys_contract() -> None:
    for connection in get_provider_info()["connection-types"]:
        assert named(connection["hook-class-name"]).conn_type == connection["connection-type"]
        for field in connection["conn-fields"].values():
            jsonschema.validate(field, FIELD)


def test_the_registry_marks_what_submits_as_durable() -> None:
    operators = {value.__name__ for _, value in provided("operators") if is_durable(value)}
    assert operators == {"BatchJobOperator", "SubmitBatchJobOperator"}
    assert not any(is_durable(value) for kind in ("sensors", "hooks", "triggers") for _, value in provided(kind))


def test_a_subclass_is_not_marked_by_its_parent() -> None:
    class MyOperator(BatchJobOperator):
        pass

    assert not is_durable(MyOperator)


def test_the_registry_finds_that_the_operator_can_defer() -> None:
    """The sensor can, too, but in `poke`; the registry reads the source of `execute` only."""
    assert {value.__name__ for _, value in provided("operators") if is_deferrable(value)} == {"BatchJobOperator"}


def test_addresses_agree_and_none_is_made_up() -> None:
    assert URLS.keys() == {"Homepage", "Documentation", "Changelog", "Source", "Issues"}
    assert {REGISTRY["source-url"], REGISTRY["docs-url"]} == {URLS["Source"], URLS["Documentation"]}
    [integration] = get_provider_info()["integrations"]
    assert integration["external-doc-url"] == URLS["Homepage"] == f"https://pypi.org/project/{PROJECT['name']}/"
    for name in URLS.keys() - {"Homepage"}:
        assert URLS[name].startswith(URLS["Source"]), name
    host = urlsplit(URLS["Source"]).hostname
    # A reserved name (RFC 2606) until there is a public one; then this holds the public one.
    assert host == "code.example"
