"""`airflow batchdl vendor check`, `try` and `new`, against the emulator."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_batchdl.cli import trial
from airflow_provider_batchdl.emulator import Emulator
from tests.cli.conftest import Ended
from tests.support.airflow_features import needs_provider_commands
from tests.support.airflow_jobs import VENDORS, work
from tests.vendors.declared.documents import TWINS

Batchdl = Callable[..., Ended]
pytestmark = needs_provider_commands


def rows(ended: Ended) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(ended.out)
    return found


def twin(vendor: str) -> str:
    return str(TWINS / f"{vendor}.toml")


def test_check_explains_each_step(batchdl: Batchdl) -> None:
    ended = batchdl("vendor", "check", twin("apartmentiq"), "--output", "json")
    assert ended.code == 0
    said = {row["step"]: row["does"] for row in rows(ended)}
    assert said["submit"] == "POST /bulk_api/jobs, the task's request as JSON, id from /job_id"
    assert "answer" not in said


@pytest.mark.parametrize("vendor", VENDORS)
def test_check_asks_the_vendor(batchdl: Batchdl, connections: Emulator, vendor: str) -> None:
    ended = batchdl("vendor", "check", twin(vendor), "--connection", f"{vendor}_default", "--output", "json")
    assert ended.code == 0, ended.err
    assert "accepts the credentials" in rows(ended)[-1]["does"]
    assert len(connections.requests) in (1, 2)  # a token


def test_check_fails_where_the_vendor_refuses(
    batchdl: Batchdl, connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "proofy", "host": connections.urls["proofy"], "password": "not-the-secret-at-all"}
    monkeypatch.setenv("AIRFLOW_CONN_PROOFY_DEFAULT", json.dumps(connection))
    ended = batchdl("vendor", "check", twin("proofy"), "-c", "proofy_default")
    assert ended.code == 1
    assert "HTTP 401" in ended.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spec = 2", "cannot be used"),
        ("spec = ", "it is no TOML (at end of document)"),
        ('spec = 1\nnam = "x"', "there is no member 'nam' here (did you mean 'name'?)"),
    ],
)
def test_check_says_what_is_wrong(batchdl: Batchdl, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "acme.toml"
    path.write_text(text)
    ended = batchdl("vendor", "check", str(path))
    assert ended.code == 1
    assert words in ended.err
    assert ended.err.count("\n") == 1


def test_check_shows_every_contradiction(batchdl: Batchdl, tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    text = Path(twin("proofy")).read_text()
    path.write_text(
        text.replace("/verify/batch/{job.id}/download", "/{job}").replace('docs_url = "https', 'docs_url = "ftp')
    )
    ended = batchdl("vendor", "check", str(path), "--output", "json")
    assert ended.code == 1
    assert [row["problem"].partition(":")[0] for row in rows(ended)] == ["docs_url", "files.path"]


def test_nothing_there(batchdl: Batchdl, tmp_path: Path) -> None:
    ended = batchdl("vendor", "check", str(tmp_path / "no.toml"))
    assert (ended.code, "cannot be read (FileNotFoundError)" in ended.err) == (1, True)
    assert "no name of" in batchdl("vendor", "check", "nothing").err


def test_new_writes_a_document_that_passes_check(batchdl: Batchdl, tmp_path: Path) -> None:
    path = tmp_path / "my-acme.toml"
    ended = batchdl("vendor", "new", str(path))
    assert ended.code == 0
    assert f"airflow batchdl vendor check {path}" in ended.err
    said = {row["step"]: row["does"] for row in rows(batchdl("vendor", "check", str(path), "--output", "json"))}
    assert said["vendor"] == "My Acme (my_acme) at https://api.example.com/v1"
    before = path.read_text()
    assert "is there already" in batchdl("vendor", "new", str(path)).err
    assert path.read_text() == before
    assert "name the file like acme.toml" in batchdl("vendor", "new", str(tmp_path / "9.toml")).err


@pytest.mark.parametrize("vendor", VENDORS)
def test_try_walks_one_job_through(batchdl: Batchdl, connections: Emulator, tmp_path: Path, vendor: str) -> None:
    job = work(vendor, tmp_path)
    what = ["--file", job["file"]] if "file" in job else ["--request", json.dumps(job["request"])]
    ended = batchdl(
        "vendor", "try", twin(vendor), "-c", f"{vendor}_default", *what, "-d", f"{tmp_path}/out/", "--output", "json"
    )  # fmt: skip
    assert ended.code == 0, ended.err
    found = rows(ended)
    [made] = connections.jobs(vendor)
    assert {"check", "submit", "status", "files", "download"} <= {row["step"] for row in found}
    assert any(row["step"] == "submit" and row["place"] and made.id in row["found"] for row in found)
    assert any(row["step"] == "status" and "counts as succeeded" in row["found"] for row in found)
    assert sum(path.is_file() for path in (tmp_path / "out").iterdir()) >= 1


def test_try_shows_how_far_it_came(batchdl: Batchdl, connections: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    text = Path(twin("apartmentiq")).read_text()
    path.write_text(text.replace('id = "/job_id"', 'id = "/id"'))
    job = work("apartmentiq", tmp_path)
    ended = batchdl(
        "vendor", "try", str(path), "-c", "apartmentiq_default", "-r", json.dumps(job["request"]), "--output", "json"
    )
    assert ended.code != 0
    assert {row["step"] for row in rows(ended)} == {"check", "list"}  # the job is searched for, as after a lost answer
    assert "there is no id at '/id'" in ended.err


def test_try_submits_nothing_where_the_check_fails(batchdl: Batchdl, connections: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_text(Path(twin("proofy")).read_text().replace('path = "/credits"', 'path = "/creditz"'))
    assert path.read_text() != Path(twin("proofy")).read_text()
    request = json.dumps({"emails": ["ada@example.com"]})
    ended = batchdl("vendor", "try", str(path), "-c", "proofy_default", "-r", request, "--output", "json")
    assert ended.code == 1
    assert "The check failed, so nothing was submitted." in ended.err
    [row] = rows(ended)
    assert row["found"].startswith("failed: ")
    assert connections.jobs("proofy") == []


@pytest.mark.parametrize("request_", ["{'emails': []}", "[]", "emails=a@b.example", "[" * 100_000])
def test_a_request_that_is_no_json_object_says_how_to_write_one(
    batchdl: Batchdl, connections: Emulator, request_: str
) -> None:
    ended = batchdl("vendor", "try", twin("proofy"), "-c", "proofy_default", f"--request={request_}")
    assert ended.code == 1
    assert """--request is no JSON object: write it like --request '{"name": "value"}'.""" in ended.err
    assert connections.requests == []


def try_proofy(batchdl: Batchdl, *more: str) -> Ended:
    request = json.dumps({"emails": ["ada@example.com"]})
    return batchdl("vendor", "try", twin("proofy"), "-c", "proofy_default", "-r", request, "-o", "json", *more)


@pytest.mark.parametrize("seconds", ["nan", "-nan", "inf", "-1", "1e99", "soon", ""])
def test_try_waits_no_time_that_is_none(batchdl: Batchdl, connections: Emulator, seconds: str) -> None:
    ended = try_proofy(batchdl, f"--timeout={seconds}")
    assert ended.code == 2
    assert "is no number of seconds" in ended.err
    assert connections.requests == []


@pytest.mark.parametrize("destination", ["out/", "out/result.json", "./result.json"])
def test_try_lands_where_the_shell_is(
    batchdl: Batchdl, connections: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = try_proofy(batchdl, "-d", destination)
    assert ended.code == 0, ended.err
    assert [path for path in tmp_path.rglob("*.json") if path.is_file()]


def test_try_submits_a_file_of_where_the_shell_is(
    batchdl: Batchdl, connections: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text("email\nada@example.com\n")
    ended = batchdl("vendor", "try", twin("revenuebase"), "-c", "revenuebase_default", "-f", "people.csv")
    assert ended.code == 0, ended.err
    assert len(connections.jobs("revenuebase")) == 1


@pytest.mark.parametrize(
    "destination", ["nope://bucket/key", "s3://no_such_connection@bucket/key", "/dev/null/x", "  "]
)
def test_try_submits_nothing_that_it_could_not_land(batchdl: Batchdl, connections: Emulator, destination: str) -> None:
    ended = try_proofy(batchdl, "-d", destination)
    assert ended.code in (1, 75)
    assert ended.err.startswith("airflow batchdl: ")
    assert connections.jobs("proofy") == []


def test_try_follows_a_job_or_submits_one(batchdl: Batchdl, connections: Emulator) -> None:
    job = connections.add_job("proofy", state="succeeded")
    ended = try_proofy(batchdl, "-j", job.id)
    assert ended.code == 1
    assert "not both" in ended.err
    assert len(connections.jobs("proofy")) == 1


def test_try_shows_some_of_very_many_values(batchdl: Batchdl, connections: Emulator) -> None:
    """A list has as many items as its vendor likes, and each has an id and a state."""
    ids = [connections.add_job("apartmentiq", state="running").id for _ in range(300)]
    connections.jobs("apartmentiq")[0].finish()
    ended = batchdl(
        "vendor", "try", twin("apartmentiq"), "-c", "apartmentiq_default", "-j", ids[0], "-o", "json"
    )  # fmt: skip
    assert ended.code == 0, ended.err
    found = rows(ended)
    assert len(found) < 100
    assert any(row["found"] == "…" for row in found)
    assert any("counts as succeeded" in row["found"] for row in found)


def test_try_that_is_stopped_says_which_job_there_is(
    batchdl: Batchdl, connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections.world.run_seconds = 3600

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trial, "time", SimpleNamespace(sleep=interrupt, monotonic=time.monotonic))
    ended = try_proofy(batchdl)
    assert (ended.code, ended.err) == (130, "airflow batchdl: stopped.\n")
    [job] = connections.jobs("proofy")
    assert any(f"job {job.id}" in row["found"] for row in rows(ended))
