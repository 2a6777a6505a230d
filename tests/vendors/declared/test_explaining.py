from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchdl.vendors.declared.explaining import explained
from airflow_provider_batchdl.vendors.declared.loading import skeleton
from airflow_provider_batchdl.vendors.declared.reading import read
from tests.vendors.declared.documents import SMALLEST, TWINS, changed


def rows(document: dict[str, Any] | str) -> dict[str, str]:
    return dict(explained(read(document, "test")))


def test_each_operation_in_words() -> None:
    said = rows(SMALLEST)
    assert said["vendor"] == "Acme (acme) at https://api.acme.example"
    assert said["submit"] == "POST /batches, the task's request as JSON, id from /id"
    assert said["status"] == "GET /batches/{job.id}, id from /id, state from /status"
    assert said["results"] == "GET /batches/{job.id}/result"
    assert said["cancel"] == "the API cannot cancel"
    said = rows(
        changed(
            states={"HTTP 202": "running", "HTTP 303": "succeeded", "HTTP 410": "failed"},
            job={"id_header": "Location"},
            files={"link_header": "Location"},
        )
    )
    assert said["submit"].endswith("id from the header Location")
    assert said["status"] == "GET /batches/{job.id}, state from the HTTP status or /status"
    assert said["results"] == "the link in the header Location of the job's answer, without credentials"
    assert said["tried"] == "not against the service itself"


def test_steps_files_and_errors_in_words() -> None:
    said = rows(
        changed(
            submit=[
                {"path": "/files", "upload": "file", "form": {"purpose": "batch"}, "keep": {"input": "/id"}},
                {"path": "/batches", "json": {"input": "{step.input}"}, "at": "/data"},
            ],
            files=[{"id": "/out", "path": "/files/{file.id}"}, {"kind": "errors", "link": ["/bad", "/worse"]}],
            list={"path": "/batches", "items": "/data", "paging": {"kind": "link"}},
            errors={"if_false": ["/ok"], "rules": [{"kind": "rate_limited", "status": [409], "words": ["busy"]}]},
        )
    )
    assert said["submit 1"] == "POST /files, a form of purpose, the task's file as file, input from /id"
    assert said["submit 2"].endswith("the task's request as JSON, id from /data/id")
    assert said["results"] == "GET /files/{file.id}, id of the file from /out"
    assert said["files: errors"] == "the link at /bad or /worse of the job's answer, without credentials"
    assert said["list"] == "GET /batches, jobs from /data, next page by the link in the Link header"
    assert said["errors"] == "rate_limited: status 409, words busy"


@pytest.mark.parametrize("path", sorted(TWINS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_twin_can_be_explained(path: Any) -> None:
    assert {"submit", "status", "results", "check"} <= set(rows(path.read_text()))


def test_the_skeleton_can_be_used() -> None:
    document = read(skeleton("my_vendor"), "my_vendor")
    assert (document.name, document.label) == ("my_vendor", "My Vendor")
    assert dict(explained(document))["lost submit"] == "found in the list by the key at /tag"
