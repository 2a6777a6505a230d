"""The JSON Schema and the reference of a document are made from its structs, and agree with what is accepted."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_provider_batchdl.vendors.declared.loading import skeleton
from airflow_provider_batchdl.vendors.declared.reading import read
from tests.declared_page import PAGE, SCHEMA, schema_text, updated
from tests.declared_schema import described, structs
from tests.vendors.declared.documents import SMALLEST, TWINS, changed

AGAIN = "write it again: make declared-page"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == updated(PAGE.read_text()), AGAIN


def test_the_schema_is_current() -> None:
    assert unordered(json.loads(SCHEMA.read_text())) == unordered(json.loads(schema_text())), AGAIN


def unordered(value: Any) -> Any:
    """The schema with alternatives in one order: each msgspec has its own, and it means nothing."""
    if isinstance(value, dict):
        return {name: unordered(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted(map(unordered, value), key=lambda each: json.dumps(each, sort_keys=True))
    return value


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text()))
    return jsonschema.Draft202012Validator(json.loads(schema_text()))


@pytest.mark.parametrize("path", sorted(TWINS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_schema_takes_what_is_taken(validator: Any, path: Path) -> None:
    validator.validate(tomllib.loads(path.read_text()))


def test_the_schema_takes_the_skeleton(validator: Any) -> None:
    validator.validate(tomllib.loads(skeleton("acme")))


@pytest.mark.parametrize(
    "members",
    [{"spec": 2}, {"name": None}, {"lable": "x"}, {"auth": {"kind": "bear"}}, {"states": {"a": "odd"}}, {"files": 3}],
    ids=str,
)
def test_the_schema_refuses_what_is_refused(validator: Any, members: dict[str, Any]) -> None:
    assert not validator.is_valid(changed(**members))
    assert validator.is_valid(SMALLEST)


def test_every_member_is_described() -> None:
    for kind in structs().values():
        text, members = described(kind)
        assert text
        assert set(members) == set(kind.__struct_fields__), kind


def test_the_pages_document_can_be_used() -> None:
    [text] = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert read(text, "acme").name == "acme"
