from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.declared.templates import Values, fill_json, fill_path, fill_text, merged

REQUEST = {"n": 3, "on": True, "list": [1]}
VALUES = Values({"job.id": "a/b?c=d#e%2F@f", "key": "k1"}, request=REQUEST, extra={"region": "eu"})


def test_a_value_in_a_path_is_one_segment() -> None:
    assert fill_path("/jobs/{job.id}/x", VALUES) == "/jobs/a%2Fb%3Fc%3Dd%23e%252F%40f/x"
    assert fill_path("/v{request.n}/{extra.region}", VALUES) == "/v3/eu"


@pytest.mark.parametrize("job_id", [".", ".."])
def test_a_value_does_not_leave_the_path(job_id: str) -> None:
    with pytest.raises(InvalidRequestError):
        fill_path("/jobs/{job.id}/cancel", Values({"job.id": job_id}))
    assert fill_path("/jobs/x{job.id}", Values({"job.id": job_id})) == f"/jobs/x{job_id}"


@pytest.mark.parametrize("value", [None, "", [1], {"a": 1}])
def test_a_path_needs_its_values(value: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"needs \{request.x\}"):
        fill_path("/{request.x}", Values(request={"x": value}))


def test_a_value_is_not_a_template() -> None:
    values = Values({"key": "{secret}", "secret": "s"})
    assert fill_text("{key}", values) == "{secret}"
    assert fill_json({"a": "{key}", "b": ["x{key}"]}, values) == {"a": "{secret}", "b": ["x{secret}"]}
    assert fill_path("/{key}", values) == "/%7Bsecret%7D"
    assert "'s'" not in repr(values)


def test_json_keeps_the_types_of_values_and_leaves_out_what_has_none() -> None:
    template = {"n": "{request.n}", "text": "n={request.n}", "on": "{request.on}", "no": "{request.no}", "null": None}
    assert fill_json({**template, "list": ["{request.list}", "{request.no}"]}, VALUES) == {
        "n": 3, "text": "n=3", "on": True, "null": None, "list": [[1]],
    }  # fmt: skip
    assert fill_json("{request}", VALUES) == {"n": 3, "on": True, "list": [1]}


def test_the_request_replaces_defaults_and_nothing_with_a_hole() -> None:
    template = {"window": "24h", "meta": {"key": "{key}", "by": "airflow"}, "file": "{step.file}"}
    request = {"window": "1h", "meta": {"key": "mine", "team": "x"}, "file": "mine"}
    assert merged(template, VALUES, {}) == {"window": "24h", "meta": {"key": "k1", "by": "airflow"}}
    assert merged(template, VALUES, request) == {
        "window": "1h", "meta": {"key": "k1", "by": "airflow", "team": "x"}, "file": "mine",
    }  # fmt: skip
    assert request["meta"] == {"key": "mine", "team": "x"}
