"""A document that cannot be used is refused in one sentence that says where, and what was expected or meant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from typing import Any

import pytest

from airflow_provider_batchdl.vendors.declared.reading import LARGEST, DocumentError, read
from tests.vendors.declared.documents import SMALLEST, TWINS, changed

LIST = {"path": "/batches", "items": "/data"}
PAG = {"paging": {"kind": "pag"}}


def problem(source: Any) -> str:
    with pytest.raises(DocumentError) as caught:
        read(source, "acme.toml")
    assert str(caught.value).startswith("The vendor document acme.toml cannot be used: ")
    assert "\n" not in str(caught.value)
    return caught.value.problem


def test_the_smallest_document() -> None:
    assert read(SMALLEST, "acme").label == "Acme"
    assert read(json.dumps(SMALLEST), "acme") == read(SMALLEST, "acme")


@pytest.mark.parametrize("path", sorted(TWINS.glob("*.toml")), ids=lambda path: path.stem)
def test_toml_and_json_say_the_same(path: Any) -> None:
    import tomllib

    text = path.read_text()
    assert read(text, path.name) == read(json.dumps(tomllib.loads(text)), path.name)


def test_a_process_that_read_documents_ends_well() -> None:
    """msgspec frees a text with a pattern twice where a list may stand instead: at the end, and not always seen."""
    code = (
        "from airflow_provider_batchdl.vendors.declared.loading import bundled, bundled_names as names\n"
        "print(len([bundled(name) for name in names()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=os.environ | {"PYTHONMALLOC": "debug"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "4"), done.stderr


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"spec": 2}, "spec: '2' is none of its values; there are 1"),
        ({"name": None}, "the member 'name' is missing"),
        ({"spec": "1"}, "spec: a whole number is expected here, and there is a text"),
        ({"states": {"b": True}}, "states.b: a text is expected here, and there is true or false"),
        ({"label": date(2026, 10, 31)}, "label: a text is expected here, and there is a date"),
        ({"lst": {}}, "there is no member 'lst' here (did you mean 'list'?)"),
        ({"auth": {"kind": "bear"}}, "auth.kind: 'bear' is none of its values (did you mean 'bearer'?)"),
        ({"auth": {"kind": "header", "nam": "x"}}, "auth: there is no member 'nam' here (did you mean 'name'?)"),
        ({"states": {"b": "cancled"}}, "states.b: 'cancled' is none of its values (did you mean 'cancelled'?)"),
        ({"status": {"path": "/x", "pth": 1}}, "status: there is no member 'pth' here (did you mean 'path'?)"),
        ({"submit": [{"path": 3}]}, "submit[0].path: a text is expected here, and there is a whole number"),
        ({"extra": {"eu": {"secrt": True}}}, "extra.eu: there is no member 'secrt' here (did you mean 'secret'?)"),
        ({"list": LIST | PAG}, "list.paging.kind: 'pag' is none of its values (did you mean 'pages'?)"),
        ({"files": 3}, "files: a table or a list is expected here, and there is a whole number"),
        ({"auth": {"name": "X-Key"}}, "auth: the member 'kind' is missing"),
        ({"files": [3]}, "files[0]: a table is expected here, and there is a whole number"),
        ({"job_url": 3}, "job_url: a text or nothing is expected here, and there is a whole number"),
        ({"request": {"day": {"kind": "dy"}}}, "request.day.kind: 'dy' is none of its values (did you mean 'day'?)"),
    ],
)  # fmt: skip
def test_a_wrong_shape(members: dict[str, Any], words: str) -> None:
    assert problem(changed(**members)) == words


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"name": "Acme!"}, "name: 'Acme!' is not made of"),
        ({"base_url": "http://api.acme.example"}, "base_url: it needs to be a URL with https"),
        ({"states": {"done": "succeeded"}}, "states: it needs a word for 'succeeded' and one for 'failed'"),
        ({"submit": {"path": "/x", "json": {"from": date(2026, 10, 31)}}}, "submit.json: it has a date, a time, nan"),
        ({"submit": {"path": "/x", "json": {"a": float("nan")}}}, "submit.json: it has a date, a time, nan"),
        ({"submit": {"path": "/x", "json": {"a": {"{key}": 1}}}}, "submit.json: '{key}' is a name, and holes are in"),
        ({"submit": {"path": "/x", "params": {"{key}": "1"}}}, "submit.params: '{key}' is a name, and holes are in"),
        ({"submit": {"path": "/x", "upload": "", "form": {"a": "b"}}}, "submit.form: a request has one body, and this"),
        ({"rate_limits": ["60"]}, "rate_limits: '60' is not requests/seconds"),
        ({"job": {"id": ""}}, "job.id: it needs a pointer like '/id'"),
        ({"job": {"state": []}}, "job.state: it needs a pointer like '/state'"),
        ({"auth": {"kind": "query", "name": ""}}, "auth.name: '' is no query parameter's name, without blanks"),
        ({"auth": {"kind": "query", "name": "api key"}}, "auth.name: 'api key' is no query parameter's name"),
        ({"status": {"path": "/x", "params": {"a b": "1"}}}, "status.params: 'a b' is no query parameter's name"),
        ({"list": LIST | {"paging": {"kind": "pages", "param": "?p"}}}, "list.paging.param: '?p' is no query"),
        ({"headers": {"X:": "1"}}, "headers: 'X:' is no header's name like 'X-Name'"),
        ({"list": {**LIST, "items": "/data[0]"}}, "list.items: '/data[0]' is no JSON pointer like '/data/id'"),
        ({"job": {"id": "/data[]/id"}}, "job.id: '/data[]/id' is no JSON pointer like"),
        ({"errors": {"rules": [{"kind": "unavailable", "status": [4290]}]}}, "errors.rules[0].status[0]: 4290 is no"),
        ({"errors": {"rules": [{"kind": "unavailable", "status": [99]}]}}, "errors.rules[0].status[0]: 99 is no"),
        ({"reset_headers": {"x reset": "seconds"}}, "reset_headers: 'x reset' is no header's name"),
        ({"submit": {"path": "/x", "json": "{request}"}}, "submit.json: it needs to be a table"),
        ({"zone": "Mars"}, "zone: 'Mars' is no time zone"),
        ({"status": {"path": "batches/{job.id}"}}, "status.path: 'batches/{job.id}' is no path"),
        ({"status": {"path": "/../{job.id}"}}, "status.path: '/../{job.id}' is no path"),
        ({"status": {"path": "//evil.example/{job.id}"}}, "status.path: '//evil.example/{job.id}' is no path"),
        ({"status": {"path": "/batches/{jobid}"}}, "status.path: there is no hole {jobid} here, only {job.id}"),
        ({"status": {"path": "/batches/{env.HOME}"}}, "status.path: there is no hole {env.HOME} here"),
        ({"status": {"path": "/{extra.eu}/{job.id}"}}, "status.path: {extra.eu} is no member that [extra] names"),
        ({"status": {"path": "/x", "params": {"a": "{+job.id}"}}}, "status.params: there is no hole {+job.id} here"),
        ({"status": {"path": "/{+jobid}"}}, "status.path: there is no hole {jobid} here, only {job.id}"),
        ({"status": {"path": "/x", "params": {"key": "{secret}"}}}, "status.params: there is no hole {secret} here"),
        ({"status": {"path": "/x", "at": "data"}}, "status.at: 'data' is no JSON pointer like '/data/id'"),
        ({"job": {"id": "data"}}, "job.id: 'data' is no JSON pointer like '/data/id'"),
        ({"job": {"id": ["/a", "data"]}}, "job.id[1]: 'data' is no JSON pointer like '/data/id'"),
        ({"files": {"link": "url"}}, "files.link: 'url' is no JSON pointer like '/data/id'"),
        ({"headers": {"Host": "evil.example"}}, "headers: 'Host' cannot be set here"),
        ({"headers": {"Authorization": "Bearer x"}}, "headers: 'Authorization' cannot be set here"),
        ({"headers": {"X-A": "a\r\nb"}}, "headers.X-A: it is not one line of ASCII"),
        ({"auth": {"kind": "oauth2", "token_path": "https://evil.example/token"}}, "auth.token_path: 'https://evil"),
        ({"auth": {"kind": "oauth2", "token_url": "http://a.example/t"}}, "auth.token_url: it needs to be a URL"),
        ({"auth": {"kind": "oauth2", "token_url": "https://a.example/?a"}}, "auth.token_url: it stands instead of"),
        ({"auth": {"kind": "oauth2", "token_path": "/t", "token_url": "https://a.example/t"}}, "auth.token_url: it"),
        ({"auth": {"kind": "oauth2", "token_url": "https://a.example/{secret}"}}, "auth.token_url: there is no hole"),
        ({"auth": {"kind": "oauth2", "name": "Range"}}, "auth.name: 'Range' cannot be the header of a key"),
        ({"extra": {"eu": {"default": "a\r\nX-B: 1"}}}, "extra.eu: its default has a blank or a line break"),
        ({"extra": {"eu": {"default": "\u00e9"}}}, "extra.eu: its default has a letter in it that"),
        ({"auth": {"kind": "header", "name": "X-K", "prefix": " "}}, "auth.prefix: it begins with a blank"),
        ({"request": {"n": {"kind": "whole", "values": ["1", "2"]}}}, "request.n.values: they are texts, and its kind"),
        ({"request": {"n": {"many": True, "least": 2, "most": 1}}}, "request.n.most: it is less than its least"),
        ({"file": {"types": {"csv": "text/csv"}}}, "file.types: 'csv' is no suffix like '.csv'"),
        ({"file": {"types": {".CSV": "text/csv"}}}, "file.types: '.CSV' is no suffix like '.csv'"),
        ({"file": {"types": {".csv": "text/csv\r\nX-A: 1"}}}, "file.types..csv: 'text/csv\\r\\nX-A: 1' is no"),
        ({"headers": {"Range": "bytes=0-9"}}, "headers: 'Range' cannot be set here"),
        ({"auth": {"kind": "header", "name": "Accept-Encoding"}}, "auth.name: 'Accept-Encoding' cannot be the header"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "headers: 'x-a' is there twice"),
        ({"headers": {"Content-Type": "application/json"}}, "headers: 'Content-Type' can be set for JSON only"),
        ({"status": {"path": "/x", "headers": {"content-type": "a/b"}}}, "status.headers: 'Content-Type' can be set"),
        ({"docs_url": "https://["}, "docs_url: it needs to be a URL with https"),
        ({"job_url": "https://x]/"}, "job_url: it needs to be a URL with https"),
        ({"job_url": "https://user:word@acme.example/"}, "job_url: it needs to be a URL with https"),
        ({"job_url": "https://acme.example/{job-id}"}, "job_url: it needs to be a URL with https"),
        ({"job_url": "https://a/{extra.t}", "extra": {"t": {"secret": True}}}, "job_url: {extra.t} is secret"),
        (
            {"files": {"path": "/x", "name": "{extra.t}.csv"}, "extra": {"t": {"secret": True}}},
            "files.name: {extra.t} is secret, and cannot be shown",
        ),
        ({"base_url": "https://acme.example/{extra.eu}", "extra": {"eu": {}}}, "base_url: it has no holes"),
        ({"states": {"Done": "succeeded", "DONE": "failed"}}, "states: it has 'DONE' in two spellings"),
        ({"states": {" ": "succeeded", "x": "failed"}}, "states: it has the word ' ', which is empty"),
        ({"states": {"HTTP 200": "succeeded", "HTTP 2020": "failed"}}, "states: 'HTTP 2020' is no state: write"),
        ({"states": {"x": "succeeded", "HTTP 429": "failed"}}, "states: 'HTTP 429' is no state: write 'HTTP 202'"),
        ({"files": {"path": "/x", "link_header": "Location"}}, "files.link_header: it is of the answer to [status]"),
        ({"partial": ["expird"]}, "partial: 'expird' is none of the words of [states]"),
        ({"job": {"state_missing": "bsy"}}, "job.state_missing: 'bsy' is none of the words of [states]"),
        ({"label": "Acme \ud83d"}, "['label']: there is half a character"),
        ({"check": {"path": "/x", "json": {"\ud83d": 1}}}, "['check']['json']: there is half a character"),
        ({"submit": []}, "submit: there is no step"),
        ({"submit": {"path": "/x", "upload": "file", "json": {}}}, "submit.upload: a request has one body"),
        ({"submit": {"path": "/x", "json": {"a": "{step.id}"}}}, "submit.json: there is no hole {step.id} here"),
        ({"find": {"kind": "key", "pointer": "/tag"}}, "find: it needs [list]"),
        ({"list": LIST, "find": {"kind": "key", "pointer": "/tag"}}, "find: the submit sends no {key}"),
        ({"list": LIST, "find": {"kind": "echo"}}, "find.members: it says which members"),
        ({"list": {**LIST, "paging": {"kind": "cursor", "next": "/next"}}}, "list.paging: its cursor goes nowhere"),
        ({"list": {**LIST, "paging": {"kind": "pages", "first": -3}}}, "list.paging.first: -3 is no page's"),
        ({"submit": {"path": "/x", "form": {"": "a"}}}, "submit.form: '' is no form field's name"),
        ({"auth": {"kind": "oauth2", "form": {" ": "a"}}}, "auth.form: ' ' is no form field's name"),
        ({"errors": {"rules": [{"kind": "not_ready"}]}}, "errors.rules[0]: it has no condition, and would mean every"),
        ({"check": None}, "check: without a balance and a list"),
        ({"files": {"kind": "errors", "path": "/x"}}, "files: one table has the kind 'result'"),
        ({"files": {"path": "/x", "format": ".csv"}}, "files.format: '.csv' is no format like 'csv'"),
        ({"files": {"path": "/x", "format": "csv\n"}}, "files.format: 'csv\\n' is no format like 'csv'"),
        ({"files": {"path": "/x", "name": "{/a[0]}.csv"}}, "files.name: '/a[0]' is no JSON pointer like"),
        ({"files": {"path": "/x", "name": "{/a~b}.csv"}}, "files.name: '/a~b' is no JSON pointer like"),
        ({"headers": {"X A": "1"}}, "headers: 'X A' is no header's name"),
        ({"files": {}}, "files: it needs a path, or a link"),
        ({"files": {"path": "/x", "items": "/files"}}, "files.items: its items need an id"),
        ({"files": {"path": "/x", "next_header": "Next"}}, "files: next_header and next_param need each other"),
        ({"job_url": "https://{job.id}.example/"}, "job_url: it needs to be a URL with https, whose host has no hole"),
        ({"extra": {"vendor_file": {}}}, "extra.vendor_file: it cannot have that name"),
    ],
)  # fmt: skip
def test_a_contradiction(members: dict[str, Any], words: str) -> None:
    assert problem(changed(**members)).startswith(words)


@pytest.mark.parametrize(
    "path", ["/b/{ job.id }", "/b/{job-id}", "/b/{}", "/b/{job.id?}", "/b{?x}", "/b/{#}", "/%2e%2E/b", "/b/%2e", "/b/%"]
)
def test_what_would_be_sent_as_it_stands_is_no_path(path: str) -> None:
    assert problem(changed(status={"path": path})).startswith(f"status.path: {path!r} is no path like")


def test_a_media_type_of_json() -> None:
    document = changed(submit={"path": "/x", "headers": {"Content-Type": "application/vnd.acme+json"}})
    assert read(document, "acme").steps[0].headers


def test_graphql_may_stand_in_a_text() -> None:
    query = "query($id: ID!) { node(id: $id) { ... on Job { id status } } }"
    document = changed(status={"path": "/graphql", "method": "POST", "json": {"query": query, "id": "{job.id}"}})
    assert read(document, "acme").status.json["query"] == query
    assert "Write '{ name }' for braces" in problem(changed(status={"path": "/g", "json": "query {id}"}))


@pytest.mark.parametrize(
    "text",
    [
        "{{ job.id }}", "{{job.id}}", "{ job.id }", "${job.id}", "{job.id|upper}", "{job.id + 1}", "{{ ds }}",
        '{request["a"]}', "{{ params.a }}", "{% if a %}", "x{request.a | lower}", "{extra.a:02}",
    ],
)  # fmt: skip
def test_what_was_to_be_a_hole(text: str) -> None:
    """It would be sent as it stands."""
    for place in ("params", "json", "form"):
        found = problem(changed(status={"path": "/x/{job.id}", "method": "POST", place: {"a": text}}))
        assert found.startswith(f"status.{place}: {text.removeprefix('x')!r} is no hole: one is like {{job.id}}")


@pytest.mark.parametrize(
    "text",
    ["{ ... on Job { id } }", "{ job { id } }", "{ job ...F }", "{job...F }", "[{a: {b: 1}}]", "a{}b", "$10 {job.id}"],
)
def test_what_is_a_brace(text: str) -> None:
    assert read(changed(status={"path": "/x/{job.id}", "json": {"a": text}}), "acme").status.json == {"a": text}


# Hostile documents.

DEEP: Any = "x"
for _ in range(100):
    DEEP = [DEEP]
LONG_KEY = ".".join("a" * 30_000)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x" * (LARGEST + 1), "it has more than 65,536 bytes"),
        (b"\xff\xfe", "it is no UTF-8"),
        ("spec = ", "it is no TOML (at end of document)"),
        ('{"spec": 1,\n "name": acme}', "it is no JSON (at line 2, column 10)"),
        ('{"spec": ', "it is no JSON (at line 1, column 10)"),
        (f'{{"spec": {"1" * 5_000}}}', "it has a number of too many digits"),
        (f"spec = {'1' * 5_000}", "it has a number of too many digits"),
        ("{" * 60_000, "it is no JSON"),
        ('{"a":' * 10_000, "it is nested more than 16 levels deep"),
        ("a = " + "[" * 60_000, "it is nested more than 16 levels deep"),
        (f"{LONG_KEY} = 1", "a line of it has a key of more than 100 parts"),
        (f"[{LONG_KEY}]", "a line of it has a key of more than 100 parts"),
        (changed(check={"path": "/x", "json": DEEP}), "it is nested more than 16 levels deep"),
        (changed(states={f"s{number}": "failed" for number in range(6_000)}), "it has more than 5,000 values"),
        (changed(label="x" * (LARGEST + 1)), "it has more than 65,536 bytes"),
        ("when = 2026-10-31", "there is no member 'when' here"),
        (changed(status={"path": "/" + "a" * 60_000 + "!!{{{{"}), "status.path: '/aaa"),
        (changed(status={"path": "/x", "at": "/~" * 30_000}), "status.at: '/~/~"),
        ("root:x:0:0:root:/root:/bin/bash\n", "it is no TOML (at line 1, column 5)"),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.timeout(20)
def test_a_hostile_document(source: Any, words: str) -> None:
    assert problem(source).startswith(words)
