"""A job that succeeded and lists no result file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import DestinationError, EmptyResultError, InvalidRequestError
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer.job_download import download, fetch
from tests.transfer.conftest import ClientFor, left_in, local

EMPTY = ResultSpec(parts=0)
OLD = "yesterday's\n"


def test_it_fails_and_touches_nothing(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(OLD)
    job = emulator.add_job("batchcom", result=EMPTY)
    with pytest.raises(EmptyResultError, match=job.id) as caught:
        download(client_for("batchcom"), job.id, local(tmp_path / "x.jsonl"))
    assert not caught.value.retryable
    assert caught.value.vendor == "batchcom"
    assert "on_empty" in str(caught.value)
    assert (tmp_path / "x.jsonl").read_text() == OLD
    with pytest.raises(EmptyResultError):
        fetch(client_for("batchcom"), job.id, max_bytes=10)


@pytest.mark.parametrize("if_exists", ["replace", "error", "skip"])
def test_skipped_it_touches_nothing(emulator: Emulator, client_for: ClientFor, tmp_path: Path, if_exists: Any) -> None:
    (tmp_path / "x.jsonl").write_text(OLD)
    job = emulator.add_job("batchcom", result=EMPTY)
    told: list[Landing] = []
    landing = download(
        client_for("batchcom"),
        job.id,
        local(tmp_path / "x.jsonl"),
        on_empty="skip",
        if_exists=if_exists,
        on_landed=told.append,
    )
    assert landing.files == ()
    assert told == []
    assert left_in(tmp_path) == ["x.jsonl"]
    assert (tmp_path / "x.jsonl").read_text() == OLD


@pytest.mark.parametrize("parts", [1, 3])
def test_landed_it_replaces_the_object_with_nothing(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, parts: int
) -> None:
    client, place = client_for("batchcom"), local(tmp_path / "x.jsonl")
    before = emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl", parts=parts))
    download(client, before.id, place)
    (tmp_path / "another.jsonl").write_text(OLD)
    job = emulator.add_job("batchcom", result=EMPTY)
    landing = download(client, job.id, place, on_empty="land")
    assert left_in(tmp_path) == ["another.jsonl", "x_manifest.json"]
    assert Landing.from_dict(json.loads((tmp_path / "x_manifest.json").read_text())) == landing
    assert (landing.job_id, landing.files, landing.bytes, landing.verified_by) == (job.id, (), 0, ("nothing",))
    after = emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl"))
    download(client, after.id, place)
    assert left_in(tmp_path) == ["another.jsonl", "x.jsonl"]


def test_landed_in_a_folder_only_what_a_manifest_names_goes(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    client, place = client_for("batchcom"), local(tmp_path, folder=True)
    (tmp_path / "another.jsonl").write_text(OLD)
    before = emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl", parts=2))
    download(client, before.id, place)
    download(client, emulator.add_job("batchcom", result=EMPTY).id, place, on_empty="land")
    assert left_in(tmp_path) == ["_manifest.json", "another.jsonl"]


def test_what_must_not_be_replaced_is_not_replaced_with_nothing(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    (tmp_path / "x.jsonl").write_text(OLD)
    job = emulator.add_job("batchcom", result=EMPTY)
    with pytest.raises(DestinationError, match="exists already"):
        download(client_for("batchcom"), job.id, local(tmp_path / "x.jsonl"), on_empty="land", if_exists="error")
    assert left_in(tmp_path) == ["x.jsonl"]


@pytest.mark.parametrize("on_empty", ["skip", "land"])
def test_as_values_it_is_an_empty_list(emulator: Emulator, client_for: ClientFor, on_empty: Any) -> None:
    job = emulator.add_job("batchcom", result=EMPTY)
    assert fetch(client_for("batchcom"), job.id, max_bytes=10, on_empty=on_empty) == []


@pytest.mark.parametrize("on_empty", ["", "ignore", None])
def test_another_word_is_refused(emulator: Emulator, client_for: ClientFor, tmp_path: Path, on_empty: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r'must be "fail", "skip" or "land", not '):
        download(client_for("batchcom"), "1", local(tmp_path), on_empty=on_empty)
    with pytest.raises(InvalidRequestError, match=r'must be "fail", "skip" or "land", not '):
        fetch(client_for("batchcom"), "1", max_bytes=1, on_empty=on_empty)
    assert emulator.requests == []
