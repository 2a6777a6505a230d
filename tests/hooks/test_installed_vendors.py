"""A vendor of another package, in Airflow: its form, its Test button, and its connection type on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.provider_info import form_of, get_provider_info
from tests.support.airflow_features import needs_provider_commands
from tests.support.api_server import api_server
from tests.support.installed import install

pytestmark = needs_provider_commands

CODE = """
from airflow_provider_batchdl.vendors.proofy import Proofy

class Acme(Proofy):
    name = "acme"
    label = "Acme"
    default_host = "https://api.acme.example"
    login_label = "Client id"
    key_label = "Client secret: of the dashboard"
    extra_members = {"region": "Where your data is: eu or us.", "signing_key": "Of the dashboard.", "label": "Any."}
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two packages, of which one cannot be imported."""
    folder = tmp_path_factory.mktemp("site-packages")
    install(folder, "acme-batch", CODE, acme="acme_batch:Acme")
    install(folder, "bad-batch", "import nowhere_to_be_found", bad="bad_batch:Bad")
    return folder


@pytest.fixture(scope="module")
def server(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with api_server(tmp_path_factory.mktemp("api"), packages) as client:
        yield client


def test_the_form_has_what_the_class_says(server: httpx.Client) -> None:
    forms = {each["connection_type"]: each for each in server.get("/ui/connections/hook_meta").json()}
    form = forms["acme"]
    shown = form["standard_fields"]
    assert form["hook_name"] == "Acme"
    assert shown["host"] == {"hidden": False, "title": "Base URL", "placeholder": "empty for https://api.acme.example"}
    assert (shown["password"]["title"], shown["password"]["placeholder"]) == ("Client secret", "of the dashboard")
    assert shown["login"]["title"] == "Client id"
    assert {name for name, field in shown.items() if field and field["hidden"]} == {"url_schema", "port"}
    fields = form["extra_fields"]
    assert list(fields)[:3] == ["region", "signing_key", "label"]
    assert set(fields) == {"region", "signing_key", "label", "poll_interval", "max_poll_interval", "rate_limit"}
    assert fields["region"]["schema"]["title"] == "Region"
    assert fields["region"]["description"] == "Where your data is: eu or us."
    assert fields["signing_key"]["schema"]["format"] == "password"
    assert {"proofy", "batchcom", "bad"} <= set(forms)
    assert forms["bad"]["hook_name"] == "bad"


def test_the_button(server: httpx.Client, emulator: Emulator) -> None:
    made = emulator.connections()["proofy_default"]
    body = {"connection_id": "new", "conn_type": "acme", "host": made["host"], "password": made["password"]}
    answer = server.post("/api/v2/connections/test", json=body).json()
    assert answer["status"], answer
    assert "accepts the key" in answer["message"]
    answer = server.post("/api/v2/connections/test", json={**body, "conn_type": "bad"}).json()
    assert answer["status"] is False
    assert "The vendor 'bad' of package bad-batch 1.2 (bad_batch:Bad) cannot be used" in answer["message"]
    assert "nowhere_to_be_found" in answer["message"]


COMMANDS = """
import json, sys
from airflow.cli.cli_parser import get_parser
from airflow.cli.commands import connection_command as commands
from airflow.models import Connection
from airflow.settings import engine

table = Connection.__table__
table.metadata.create_all(engine, tables=[table, *(key.column.table for key in table.foreign_keys)])
for command in json.loads(sys.stdin.read()):
    function = getattr(commands, f"connections_{command[1]}")
    function = function.__wrapped__ if command[1] == "add" else function
    function(get_parser().parse_args(command))
"""


def test_the_command_line(packages: Path, tmp_path: Path, emulator: Emulator) -> None:
    """Three commands in one process, each as ``airflow`` runs it, but for its entry in the audit log."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    environment = kept | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[2]), str(packages))),
    }
    made = emulator.connections()["proofy_default"]
    commands = [
        ["connections", "add", "mine", "--conn-type", "acme", "--conn-host", made["host"]],
        ["connections", "get", "mine", "-o", "json"],
        ["connections", "test", "mine"],
    ]
    commands[0] += ["--conn-password", made["password"]]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMMANDS],
        env=environment,
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "invalid" not in told
    assert '"conn_type": "acme"' in done.stdout
    assert "Connection success!" in done.stdout


def test_no_package_is_imported_for_the_table(packages: Path) -> None:
    """Every Airflow process reads it; few show forms."""
    probe = (
        "import json, sys\n"
        "from airflow.providers_manager import ProvidersManager\n"
        "manager = ProvidersManager()\n"
        "manager.initialize_providers_list()\n"
        "types = manager.providers['airflow-provider-batchdl'].data['connection-types']\n"
        "known = [each['connection-type'] for each in types]\n"
        "heavy = [each for each in ('acme_batch', 'bad_batch', 'airflow_provider_batchdl.vendors.base') "
        "if each in sys.modules]\n"
        "print(json.dumps([known, heavy]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", probe],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[2]), str(packages)))},
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    known, loaded = json.loads(done.stdout.splitlines()[-1])
    assert {"acme", "bad", "proofy"} <= set(known)
    assert loaded == []


def like_the_table(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    [static] = [each for each in get_provider_info()["connection-types"] if each["connection-type"] == name]
    return static, form_of(name)


@pytest.mark.parametrize("name", ["revenuebase", "proofy", "batchcom", "apartmentiq"])
def test_the_four_would_have_the_form_that_they_have(name: str) -> None:
    """But for the sentences about the fields of the extra, which are longer in the table."""
    static, made = like_the_table(name)
    assert made["ui-field-behaviour"] == static["ui-field-behaviour"]
    assert made["hook-name"] == static["hook-name"]
    assert set(made["conn-fields"]) == set(static["conn-fields"])
