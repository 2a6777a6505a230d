"""The UI's Test button and its forms, by the requests that the UI makes to a real API server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.batchcom import BatchCom
from tests.support.airflow_features import BUTTON_NEEDS_A_PORT, needs_provider_commands
from tests.support.airflow_jobs import VENDORS
from tests.support.api_server import api_server
from tests.support.leaks import find_secrets

NONE = "\u2013"  # in the table, a dash
PAGE = Path(__file__).parents[2] / "docs" / "connections.md"
pytestmark = needs_provider_commands  # what the forms are made of is as young as those


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with api_server(tmp_path_factory.mktemp("api")) as client:
        yield client


def store(server: httpx.Client, conn_id: str, members: dict[str, Any]) -> None:
    server.delete(f"/api/v2/connections/{conn_id}")
    body = {"connection_id": conn_id, **members, "extra": json.dumps(members["extra"])}
    assert server.post("/api/v2/connections", json=body).status_code == 201


def press(server: httpx.Client, conn_id: str, **changes: Any) -> httpx.Response:
    """Press the button beside a connection: the body that the UI of Airflow 3.3.2 makes of what the API shows."""
    shown = server.get(f"/api/v2/connections/{conn_id}").json()
    body = {
        "conn_type": shown["conn_type"],
        "connection_id": shown["connection_id"],
        "description": shown["description"] or "",
        "extra": shown["extra"] or "{}",
        "host": shown["host"] or "",
        "login": shown["login"] or "",
        "password": shown["password"] or "",
        "port": int(shown["port"] or 0),  # Number(null), and Number("")
        "schema": shown["schema"] or "",
    }
    return server.post("/api/v2/connections/test", json={**body, **changes})


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_button_works_for_the_emulators_connections(server: httpx.Client, emulator: Emulator, vendor: str) -> None:
    store(server, f"{vendor}_default", emulator.connections()[f"{vendor}_default"])
    answer = press(server, f"{vendor}_default")
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"], answer.text
    assert "accepts" in answer.json()["message"]


def test_it_does_for_a_connection_without_a_port_but_in_airflow_3_3(server: httpx.Client, emulator: Emulator) -> None:
    """Why they have port 0: https://github.com/apache/airflow/issues/73298."""
    store(server, "proofy_default", {**emulator.connections()["proofy_default"], "port": None})
    answer = press(server, "proofy_default")
    if BUTTON_NEEDS_A_PORT:
        assert answer.status_code == 400
        assert "differs from the stored connection" in answer.text
    else:
        assert answer.json()["status"], answer.text
    assert press(server, "proofy_default", port=None).json()["status"]


@pytest.mark.parametrize(
    ("vendor", "changes", "says"),
    [
        ("proofy", {"extra": '{"pol_interval": 5}'}, "did you mean 'poll_interval'?"),
        ("proofy", {"extra": '{"rate_limit": "60"}'}, "is '60', and no rate limit"),
        ("batchcom", {"extra": "{}"}, "The extra field 'project_key' of"),
        ("batchcom", {"extra": '{"project_key": "project_0001", "api_version": 2.10}'}, "is 2.1, a number"),
        ("proofy", {"password": "pf_0123 456789"}, "has a blank or a line break in the middle"),
        ("proofy", {"schema": "ftp"}, "The schema of"),
        ("apartmentiq", {"login": "“client”"}, "The login of"),
    ],
)
def test_it_names_the_field(
    server: httpx.Client, emulator: Emulator, vendor: str, changes: dict[str, Any], says: str
) -> None:
    # A connection that is not stored yet, as in the form for a new one.
    body = {name: each or "" for name, each in emulator.connections()[f"{vendor}_default"].items()}
    body |= {
        "connection_id": "new",
        "description": "",
        "schema": "",
        "port": 0,
        "extra": json.dumps(body["extra"] or {}),
    }
    answer = server.post("/api/v2/connections/test", json={**body, **changes}).json()
    assert answer["status"] is False
    assert says in answer["message"]
    assert not find_secrets(answer["message"])
    assert not emulator.requests


def test_the_forms(server: httpx.Client) -> None:
    """A field that is no null makes the form's Save wait for it, and marks its section, which stands by itself."""
    forms = {each["connection_type"]: each for each in server.get("/ui/connections/hook_meta").json()}
    for name in VENDORS:
        form = forms[name]
        titles = [each["title"] for each in form["standard_fields"].values() if each and each["title"]]
        titles += [each["schema"]["title"] for each in form["extra_fields"].values()]
        assert all(len(title) <= 16 for title in titles), titles
        assert all(each["value"] is None for each in form["extra_fields"].values())
        assert all(each["description"].endswith(".") for each in form["extra_fields"].values())
    project = forms["batchcom"]["extra_fields"]["project_key"]
    assert next(iter(forms["batchcom"]["extra_fields"])) == "project_key"
    assert project["schema"]["type"] == "string"
    assert project["schema"]["section"] == "Project (required)"
    assert BatchCom.extra_members == {"project_key", "api_version"} <= set(forms["batchcom"]["extra_fields"])


def documented() -> dict[str, list[str]]:
    """The page's table of types, by the type, without its marks: password, login, extra and default host."""
    table = PAGE.read_text().partition("## Types")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:3] == "| `"]
    return {cells[0].strip("`"): cells[1:] for cells in rows if cells[0].strip("`") in VENDORS}


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_form_has_what_is_documented_and_nothing_else(server: httpx.Client, vendor: str) -> None:
    """Labels, placeholders, hidden fields and fields of the extra, as the UI gets them."""
    password, login, extra, host = documented()[vendor]
    [form] = [each for each in server.get("/ui/connections/hook_meta").json() if each["connection_type"] == vendor]
    shown = form["standard_fields"]
    assert form["hook_name"] == vendor_class(vendor).label
    assert shown["host"] == {"hidden": False, "title": "Base URL", "placeholder": f"empty for {host.strip('`')}"}
    assert password.lower().startswith(shown["password"]["title"].lower())
    hint = password.partition(",")[2].strip()  # of ApartmentIQ alone
    assert bool(shown["password"]["placeholder"]) is bool(hint)
    assert hint.partition(" where")[0] in (shown["password"]["placeholder"] or "")
    assert not shown["password"]["hidden"]
    hidden = {name for name, field in shown.items() if field and field["hidden"]}
    assert hidden == {"url_schema", "port"} | ({"login"} if login == NONE else set())
    assert (shown["login"]["title"] or NONE).lower() == login
    assert shown["description"] is None
    own = set(re.findall(r"`(\w+)` \(", extra))
    assert set(form["extra_fields"]) == own | {"poll_interval", "max_poll_interval", "rate_limit"}
    for name, field in form["extra_fields"].items():
        assert field["schema"].get("format") == ("password" if name == "project_key" else None)
        assert "null" in field["schema"]["type"] or f"`{name}` (required)" in extra


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_a_form_saves_empty_counts_as_left_out(server: httpx.Client, emulator: Emulator, vendor: str) -> None:
    """The UI stores null, or an empty text, for a field of the extra that was left alone."""
    [form] = [each for each in server.get("/ui/connections/hook_meta").json() if each["connection_type"] == vendor]
    there = emulator.connections()[f"{vendor}_default"]
    for nothing in (None, ""):
        given = {**dict.fromkeys(form["extra_fields"], nothing), **there["extra"]}
        store(server, f"{vendor}_default", {**there, "extra": given})
        answer = press(server, f"{vendor}_default").json()
        assert answer["status"], answer
        assert "Ignored" not in answer["message"]
