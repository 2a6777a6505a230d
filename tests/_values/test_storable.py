"""Whatever a vendor writes, what goes to Airflow can be encoded, sent and stored there."""

from __future__ import annotations

import json
import math
import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_batchdl._tasks.assets import asset_uri, extra_of
from airflow_provider_batchdl._tasks.lineage import dataset_name
from airflow_provider_batchdl._values.storable import DEEPEST, LONGEST_MESSAGE, storable, storable_text
from airflow_provider_batchdl.exceptions import BatchDlError, RateLimitedError
from airflow_provider_batchdl.jobs import Job, JobState, LandedFile, Landing, ResultFile
from airflow_provider_batchdl.triggers.events import LARGEST_FILES, job_to_event
from airflow_provider_batchdl.vendors.reading import as_id, as_text, as_token

# All of Unicode, halves of surrogate pairs and U+0000 among it; often just these.
texts = st.text(st.characters() | st.sampled_from("\ud83d\ude00\udfff\x00"), max_size=30)
numbers = st.integers() | st.integers(2**62, 2**200) | st.floats()
sizes = st.integers(0)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=15,
)
result_files = st.builds(ResultFile, texts, st.none() | texts, st.none() | numbers, st.none() | numbers)
jobs = st.builds(
    Job,
    texts,
    st.sampled_from(JobState),
    texts,
    st.none() | texts,
    st.none() | st.floats(),
    st.lists(result_files, max_size=3).map(tuple),
    st.none() | texts,
)
landed = st.builds(LandedFile, texts, numbers, texts, texts, texts, texts, numbers, numbers, st.tuples(texts))
landings = st.builds(Landing, texts, texts, st.lists(landed, max_size=3).map(tuple), numbers, st.floats())
errors = st.builds(
    BatchDlError, texts, vendor=texts, job_id=texts, vendor_message=texts, remedy=texts, retry_after=st.floats()
)


def assert_stored_as_it_is(value: Any) -> None:
    text = json.dumps(value, allow_nan=False)
    assert not re.search(r"(?<!\\)(\\\\)*\\u0000", text)  # escaped, and not the words of an escape
    assert json.loads(text) == value
    json.dumps(value, ensure_ascii=False).encode()


def whole_numbers(value: Any) -> list[int]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in whole_numbers(item)]
    return [value] if isinstance(value, int) else []


@given(values)
def test_any_value(value: Any) -> None:
    once = storable(value)
    assert_stored_as_it_is(once)
    assert storable(once) == once
    assert all(-(2**63) <= number < 2**64 for number in whole_numbers(once))


@given(values)
def test_what_can_be_stored_stays_as_it_is(value: Any) -> None:
    clean = storable(value)
    assert storable(clean) == clean


@given(jobs | landings | result_files)
def test_jobs_and_landings(value: Any) -> None:
    assert_stored_as_it_is(value.to_dict())


@given(st.builds(Landing, texts, texts, st.lists(st.builds(LandedFile, texts, sizes, texts, rows=sizes)), sizes, sizes))
def test_asset_events_and_lineage(landing: Landing) -> None:
    assert_stored_as_it_is(extra_of(landing))
    for file in landing.files:
        assert_stored_as_it_is(list(dataset_name(f"s3://bucket/{file.uri}")))
        assert_stored_as_it_is(asset_uri(f"s3://bucket/{file.uri}"))


@given(jobs)
def test_a_job_comes_back_the_same(job: Job) -> None:
    assert Job.from_dict(job.to_dict()) == job
    assert_stored_as_it_is(job_to_event(job))


@given(errors)
@example(BatchDlError("it is so", remedy="Look at half \ud83d."))
@example(BatchDlError("it is so", vendor="half \ud83d"))
@example(BatchDlError("it is so", conn_id="half \ud83d"))
def test_errors(error: BatchDlError) -> None:
    assert_stored_as_it_is(error.to_dict())
    str(error).encode()
    str(BatchDlError.from_dict(error.to_dict())).encode()


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("Too many \ud83d", "Too many \ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("a\x00b", "a\ufffdb"),
        ("Fertig \U0001f600, tab\tline\n", "Fertig \U0001f600, tab\tline\n"),
    ],
)
def test_texts(text: str, stored: str) -> None:
    assert storable_text(text) == stored
    assert as_text(text) == stored


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (math.nan, None),
        (-math.inf, None),
        (10**30, "1" + "0" * 30),
        (2**64 - 1, 2**64 - 1),
        ({1: (2, {3})}, {"1": [2, [3]]}),
        (JobState.FAILED, "failed"),
        (b"\x00", "b'\\x00'"),
    ],
)
def test_values(value: Any, stored: Any) -> None:
    assert storable(value) == stored
    assert type(storable(value)) is type(stored)


def test_what_has_no_end_ends() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert len(json.dumps(storable(circle))) < DEEPEST * 3


SIGNED = "https://store.example.com/result.csv?X-Amz-Signature=0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "value", [SIGNED, quote(SIGNED, safe=""), "https://me:pass-word@example.com/129", "a?sig=12345678"]
)
def test_a_text_with_a_secret_is_no_jobs_id(value: str) -> None:
    with pytest.raises(TypeError, match="is no id") as caught:
        as_id(value)
    assert "Signature" not in str(caught.value)
    assert as_token(value) == value


@pytest.mark.parametrize(
    "value", ["129", "d9e9cc60-120b-4489-b00b-5533fdc71b5d", "bulk:a/b", "https://example.com/jobs/1"]
)
def test_other_ids_are_as_they_came(value: str) -> None:
    assert as_id(value) == value


@pytest.mark.parametrize(
    "value", ["a\ud83d", "a\x00", "a\nb", "\x7f", "", " ", "null", "None", ".", "..", None, True, 1.5, [], "x" * 5000]
)
def test_no_id(value: object) -> None:
    with pytest.raises(TypeError, match="is no id"):
        as_id(value)


def test_an_id_has_no_blanks_around_it_as_users_arguments_have_none() -> None:
    assert as_id(" 7 ") == "7"


def test_numbers_longer_than_python_turns_into_text() -> None:
    assert storable(10**6000) is None
    with pytest.raises(TypeError, match="is no id"):
        as_id(10**6000)


def test_an_error_is_no_longer_than_can_be_read() -> None:
    error = RateLimitedError("a" * 10_000, vendor_message="b" * 10_000, retry_after=math.inf)
    assert len(error.message) == len(error.vendor_message or "") == LONGEST_MESSAGE
    assert error.retry_after is None


def test_a_job_with_ten_thousand_files_is_shown_with_the_first_of_them() -> None:
    files = tuple(ResultFile(f"file_{number:032d}", f"export-{number}.json", 10**9, number) for number in range(10_000))
    job = Job("1", JobState.SUCCEEDED, "SUCCESS", files=files)
    facts = job_to_event(job)
    assert facts["files"][0] == files[0].to_dict()
    assert len(facts["files"]) + facts["files_omitted"] == 10_000
    assert len(json.dumps(facts)) < LARGEST_FILES + 5_000
    assert Job.from_dict(facts).files
    assert job_to_event(Job("1", JobState.SUCCEEDED, "SUCCESS", files=files[:3])) == {
        **job.to_dict(),
        "files": [file.to_dict() for file in files[:3]],
    }


def test_the_longest_file_is_shown() -> None:
    job = Job("1", JobState.SUCCEEDED, "x" * 999, files=(ResultFile("\U0001f600" * 2_000, "y" * 9_999),) * 9)
    facts = job_to_event(job)
    assert len(facts["files"]) == 1
    assert facts["files_omitted"] == 8
