"""Requests that leave out what they are about, and what a task gives that no request would send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.declared.problems import problems_of
from airflow_provider_batchdl.vendors.declared.reading import parse
from tests.vendors.declared.documents import answer, changed, drive, submission, vendor_of

NONE = {"path": "/batches", "request": "none"}


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"cancel": {"path": "/cancel", "method": "POST"}}, "cancel: it needs {job.id}"),
        ({"status": {"path": "/batches/:id"}}, "status: it needs {job.id}"),
        ({"files": {"path": "/latest"}}, "files: it needs {job.id} or {file.id}"),
        ({"files": [{"path": "/latest"}]}, "files[0]: it needs {job.id} or {file.id}"),
        ({"files": {"items": "/files", "id": "/id", "path": "/batches/{job.id}/result"}}, "files: it needs {file.id}"),
        ({"files": {"call": {"path": "/f"}, "items": "/f", "link": "/url"}}, "files.call: it needs {job.id}"),
        ({"submit": {"path": "/{request.tenant}/b"}, "request": {"tennant": {}}}, "submit: {request.tenant} is no"),
        ({"submit": NONE, "request": {"words": {}}}, "request.words: no step of [submit] sends it"),
        ({"file": {"types": {".csv": "text/csv"}}}, "file: no step of [submit] uploads it"),
        ({"extra": {"poll_interval": {}}}, "extra.poll_interval: it cannot have that name"),
    ],
)
def test_a_document_says_what_its_requests_are_about(members: dict[str, Any], words: str) -> None:
    [problem] = problems_of(parse(changed(**members), "acme"))
    assert problem.startswith(words)


@pytest.mark.parametrize(
    "members",
    [
        {"status": {"path": "/graphql", "method": "POST", "json": {"query": "query", "variables": {"id": "{job.id}"}}}},
        {"files": {"path": "/results", "params": {"of": "{job.id}"}}},
        {"files": {"path": "/links", "params": {"of": "{job.id}"}, "items": "/files", "id": "/id", "link": "/url"}},
        {"submit": {**NONE, "json": {"words": "{request.words}"}}, "request": {"words": {}}},
        {"submit": {**NONE, "json": {"data": "{request}"}}, "request": {"words": {}}},
        {"submit": [{**NONE, "json": {"a": "{request.words}"}}, {"path": "/go"}], "request": {"words": {}, "b": {}}},
    ],
)
def test_what_says_it_somewhere_is_right(members: dict[str, Any]) -> None:
    assert list(problems_of(parse(changed(**members), "acme"))) == []


@pytest.mark.parametrize(
    ("submit", "has_file"),
    [
        (NONE, False),
        ({**NONE, "json": {"words": "{request.words}"}}, False),
        ({"path": "/batches", "upload": "file"}, True),
    ],
)
def test_what_would_not_be_sent_is_refused(submit: dict[str, Any], has_file: bool, tmp_path: Path) -> None:
    """A job without it is another one, and is paid for."""
    (tmp_path / "in.csv").write_text("a\n")
    file = str(tmp_path / "in.csv") if has_file else None
    acme = vendor_of(changed(submit=submit))
    with pytest.raises(InvalidRequestError, match=r"would have the request's 'metadata'\. .*\[submit\] send it"):
        drive(acme.submit(submission({"metadata": True}, file)), [])
    assert drive(acme.submit(submission({"metadata": None}, file)), [answer({"id": 1})])[0].id == "1"
