"""Jobs and landings go out as plain JSON and come back the same."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.jobs import Job, JobState, LandedFile, Landing, ResultFile

# What a landing says is stored in other words where it cannot be stored at all: tests/_values/test_storable.py.
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
maybe_words = st.none() | words
sizes = st.integers(0, 2**63)
kinds = st.sampled_from(["result", "errors", "rows_skipped"])
result_files = st.builds(ResultFile, words, maybe_words, st.none() | sizes, st.none() | st.integers(1, 9999), kinds)
jobs = st.builds(
    Job,
    words,
    st.sampled_from(JobState),
    words,
    maybe_words,
    st.none() | st.floats(0, 1),
    st.lists(result_files, max_size=3).map(tuple),
    maybe_words,
    st.none() | sizes,
)
proofs = st.lists(words, max_size=3).map(tuple)
landed_files = st.builds(
    LandedFile,
    words,
    sizes,
    words,
    maybe_words,
    maybe_words,
    maybe_words,
    st.none() | sizes,
    st.none() | sizes,
    proofs,
    kinds,
    st.none() | st.integers(1, 500),
)
landings = st.builds(
    Landing,
    words,
    words,
    st.lists(landed_files, max_size=3).map(tuple),
    sizes,
    st.floats(0, 1e9),
    sizes,
    sizes,
    st.integers(1, 64),
    proofs,
)


@given(st.one_of(result_files, jobs, landed_files, landings))
def test_round_trip(value: Any) -> None:
    travelled = json.loads(json.dumps(value.to_dict()))
    assert type(value).from_dict(travelled) == value
    assert travelled == value.to_dict()  # nothing but JSON's own types went out
    assert hash(type(value).from_dict(travelled)) == hash(value)


@given(st.one_of(jobs, landings), st.dictionaries(st.text(min_size=9), st.integers()))
def test_members_of_a_newer_version_are_ignored(value: Any, news: dict[str, int]) -> None:
    data = value.to_dict()
    inner = [{**file, "colour": "blue"} for file in data["files"]]
    assert type(value).from_dict({**data, **{f"new {name}": number for name, number in news.items()}}) == value
    assert type(value).from_dict({**data, "files": inner}) == value


def test_members_of_an_older_version_have_defaults() -> None:
    assert Job.from_dict({"id": "1", "state": "running", "vendor_state": "R"}) == Job("1", JobState.RUNNING, "R")
    old = {"job_id": "1", "vendor": "v", "files": [{"uri": "u", "bytes": 1, "sha256": "s"}], "bytes": 1, "seconds": 0.1}
    landing = Landing.from_dict(old)
    assert landing == Landing("1", "v", (LandedFile("u", 1, "s"),), 1, 0.1)
    assert landing.results == landing.files
    assert ResultFile.from_dict({"id": "1"}).kind == "result"
    # Silence is no proof.
    assert landing.verified_by == landing.files[0].verified_by == ("nothing",)


@pytest.mark.parametrize("name", ["https://h/a/x.csv?sig=SIGNED#f", " HTTP://u:SIGNED@h/x.csv/", "https://h/b/x.csv"])
def test_a_name_that_is_a_url_is_the_last_segment_of_its_path(name: str) -> None:
    """Names go into file names, XCom and manifests; a signature must not."""
    for named in (ResultFile("1", name=name), Job("1", JobState.RUNNING, "R", name=name)):
        assert named.name == "x.csv"


@pytest.mark.parametrize(
    ("state", "terminal"),
    [("pending", False), ("running", False), ("succeeded", True), ("failed", True), ("cancelled", True)],
)
def test_terminal_states(state: str, terminal: bool) -> None:
    assert JobState(state).is_terminal is terminal


def test_frozen() -> None:
    job = Job("1", JobState.RUNNING, "R")
    with pytest.raises(FrozenInstanceError):
        job.state = JobState.SUCCEEDED  # type: ignore[misc]
