"""The connections of docs/connections.md: JSON, URI and command say the same, and each is one that a hook takes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.provider_info import get_provider_info

PAGE = Path(__file__).parents[2] / "docs" / "connections.md"
EXAMPLE = re.compile(
    r"^```json\n(.*?)\n```\n\n```text\n(.*?)\n```\n\n```console\n\$ (.*?)\n```", re.MULTILINE | re.DOTALL
)
EXAMPLES = {json.loads(found[0])["conn_type"]: found for found in EXAMPLE.findall(PAGE.read_text())}


def fields(connection: Any) -> tuple[Any, ...]:
    """What a connection says; an empty host and schema are none."""
    host, schema = connection.host or None, connection.schema or None
    return connection.conn_type, connection.login or None, connection.password, host, schema, connection.extra_dejson


def of_command(command: str) -> tuple[Any, ...]:
    program, group, verb, _, *options = shlex.split(command.replace("\\\n", " "))
    assert (program, group, verb) == ("airflow", "connections", "add")
    given = dict(zip(options[::2], options[1::2], strict=True))
    made: dict[str, Any] = {name.removeprefix("--conn-"): value for name, value in given.items()}
    conn_type, extra = made.pop("type"), made.pop("extra", None)
    return fields(Connection(conn_id="id", conn_type=conn_type, extra=extra, **made))


def test_every_type_has_an_example() -> None:
    assert EXAMPLES.keys() == {each["connection-type"] for each in get_provider_info()["connection-types"]}


@pytest.mark.parametrize("conn_type", EXAMPLES)
def test_the_three_forms_are_one_connection_that_a_hook_takes(conn_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, uri, command = EXAMPLES[conn_type]
    as_json = fields(Connection.from_json(made, conn_id="id"))
    assert fields(Connection.from_uri(uri, conn_id="id")) == as_json == of_command(command)
    for text in (made, uri):
        monkeypatch.setenv("AIRFLOW_CONN_DOCUMENTED", text)
        with BatchApiHook.for_connection("documented") as hook:
            assert hook.vendor.name
