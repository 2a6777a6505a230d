from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath

from airflow_provider_batchdl.exceptions import InvalidArgumentError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.task_groups import batch_job

REQUESTS = [{"emails": ["ada@example.com"]}, {"emails": ["grace@example.org"]}]


def mapped(destination: Any, **more: Any) -> None:
    task = BatchJobOperator.partial(task_id="t", conn_id="proofy_default", destination=destination, retries=1, **more)
    task.expand(request=REQUESTS)


def mapped_group(destination: Any, **more: Any) -> None:
    batch_job.partial(conn_id="proofy_default", destination=destination, **more).expand(request=REQUESTS)


MAKE = pytest.mark.parametrize("make", [mapped, mapped_group])


@MAKE
@pytest.mark.parametrize(
    ("destination", "options"),
    [
        ("/data/verified.json", {}),
        ("/data/{{ ds }}.json", {}),
        ("/data/{{ var.value.lake }}/{{ dag_run.conf['x'] | lower }}-{{ run_id }}.json", {}),
        ("/data/verified/", {"keep": "latest"}),
        ("/data/{{ ds }}/", {"keep": "latest"}),
    ],
)
def test_members_that_would_replace_one_another_are_refused(make: Any, destination: str, options: Any) -> None:
    with DAG("dag"), pytest.raises(InvalidArgumentError) as caught:
        make(destination, **options)
    assert f"The destination {destination!r} is the same for each member of a mapped task" in str(caught.value)
    assert "Put {{ ti.map_index }} into it, or map over the destination, too, with one for each member." in str(
        caught.value
    )


@MAKE
@pytest.mark.parametrize(
    ("destination", "options", "shown"),
    [
        (Path("/data/verified.json"), {}, "/data/verified.json"),
        (Path("/data/{{ ds }}.json"), {}, "/data/{{ ds }}.json"),
        (ObjectStoragePath("file:///data/verified.json"), {}, "file:///data/verified.json"),
        (ObjectStoragePath("file:///data/verified/"), {"keep": "latest"}, "file:///data/verified/"),
    ],
)
def test_a_path_object_is_no_other_place(make: Any, destination: Any, options: Any, shown: str) -> None:
    with DAG("dag"), pytest.raises(InvalidArgumentError) as caught:
        make(destination, **options)
    assert f"The destination {shown!r} is the same for each member of a mapped task" in str(caught.value)


@MAKE
@pytest.mark.parametrize(
    "destination", [Path("/data/{{ ti.map_index }}.json"), ObjectStoragePath("file:///data/verified/")]
)
def test_nor_is_one_that_may_differ_or_be_shared_refused(make: Any, destination: Any) -> None:
    with DAG("dag"):
        make(destination)


@MAKE
@pytest.mark.parametrize(
    ("destination", "options"),
    [
        ("/data/{{ ti.map_index }}.json", {}),
        ("/data/{{ task_instance.map_index }}/", {"keep": "latest"}),
        ("/data/{{ task.request['x'] }}.json", {}),
        ("/data/{{ macros.uuid.uuid4() }}.json", {}),
        ("/data/{{ my_own_macro() }}.json", {}),
        ("/data/verified/", {}),
    ],
)
def test_what_may_differ_or_be_shared_is_not(make: Any, destination: str, options: Any) -> None:
    with DAG("dag"):
        make(destination, **options)


def test_one_task_may_have_one_place_and_so_may_members_that_are_mapped_over_places() -> None:
    with DAG("dag", default_args={"retries": 1}):
        BatchJobOperator(task_id="one", conn_id="proofy_default", request=REQUESTS[0], destination="/data/x.json")
        BatchJobOperator.partial(task_id="many", conn_id="proofy_default", request=REQUESTS[0]).expand(
            destination=["/data/a.json", "/data/b.json"]
        )
        batch_job.partial(conn_id="proofy_default", request=REQUESTS[0]).expand(
            destination=["/data/a.json", "/data/b.json"]
        )


def each(*members: dict[str, Any], **more: Any) -> None:
    BatchJobOperator.partial(task_id="t", conn_id="proofy_default", retries=1, **more).expand_kwargs([*members])


def crossed(make: Any, places: list[Any], **more: Any) -> None:
    if make is mapped:
        made: Any = BatchJobOperator.partial(task_id="t", conn_id="proofy_default", retries=1, **more)
    else:
        made = batch_job.partial(conn_id="proofy_default", **more)
    made.expand(destination=places, request=REQUESTS)


A, B, IN_A = ({"request": REQUESTS[0], "destination": place} for place in ("/a.json", "/b.json", "/a/"))


@pytest.mark.parametrize(
    ("make", "given", "options"),
    [
        (each, (A, A), {}),
        (each, (A, B, A), {}),
        (each, ({**A, "destination": "/{{ ds }}.json"},) * 2, {}),
        (each, (IN_A, IN_A), {"keep": "latest"}),
        (each, ({**IN_A, "keep": "latest"},) * 2, {}),
        (crossed, (mapped, ["/a.json", "/b.json"]), {}),
        (crossed, (mapped_group, ["/a.json", "/b.json"]), {}),
        (crossed, (mapped, ["/a/"]), {"keep": "latest"}),
        (each, ({**A, "destination": Path("/a.json")},) * 2, {}),
        (each, (A, {**A, "destination": Path("/a.json")}), {}),
        (each, ({**A, "destination": ObjectStoragePath("file:///a.json")}, A), {}),
        (each, ({**A, "destination": ObjectStoragePath("s3://b/a.json")},) * 2, {}),
        (each, ({**A, "destination": ObjectStoragePath("file:///a/")}, IN_A), {"keep": "latest"}),
        (each, ({**A, "destination": "S3://b/a.json"}, {**A, "destination": "s3a://b/a.json"}), {}),
        (each, ({**A, "destination": "FILE:///a.json"}, A, {**A, "destination": "local:///b.json"}), {}),
        (each, ({**A, "destination": "gs://b/{{ ds }}.json"}, {**A, "destination": "gcs://b/{{ ds }}.json"}), {}),
        (each, ({**A, "destination": "abfs://c/{{ ds }}.json"}, {**A, "destination": "adl://c/{{ ds }}.json"}), {}),
        (crossed, (mapped, [Path("/a.json"), Path("/b.json")]), {}),
        (crossed, (mapped_group, [ObjectStoragePath("file:///a.json")]), {}),
    ],
)
def test_members_that_are_mapped_over_one_place_are_refused(make: Any, given: Any, options: Any) -> None:
    with DAG("dag"), pytest.raises(InvalidArgumentError, match="is the same for several members of a mapped task"):
        make(*given, **options)


def test_members_that_differ_in_their_place_alone_need_two() -> None:
    with DAG("dag"):
        for task in (
            BatchJobOperator.partial(task_id="t", conn_id="proofy_default", request=REQUESTS[0], retries=1),
            batch_job.partial(conn_id="proofy_default", request=REQUESTS[0]),
        ):
            for place in ("/a.json", Path("/a.json"), ObjectStoragePath("file:///a.json")):
                with pytest.raises(InvalidArgumentError, match=r"/a\.json' is the same for several members"):
                    task.expand(destination=[place, place])


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (each, (A, B)),
        (each, (IN_A, IN_A)),
        (each, ({**A, "destination": Path("/a.json")}, {**A, "destination": Path("/b.json")})),
        (each, ({**A, "destination": ObjectStoragePath("file:///a/")},) * 2),
        (each, ({**A, "destination": "/{{ ti.map_index }}.json"},) * 2),
        (crossed, (mapped, ["/a/", "/b/"])),
        (crossed, (mapped_group, ["/a/", "/{{ ti.map_index }}.json"])),
    ],
)
def test_members_that_are_mapped_over_their_own_are_not(make: Any, given: Any) -> None:
    with DAG("dag"):
        make(*given)


def test_what_expand_kwargs_says_is_checked_as_expands_is() -> None:
    for wrong in ({"if_exists": "skpi"}, {"conn_id": ""}, {"request": "no JSON"}, {"destination": "out.csv"}):
        with DAG("dag"), pytest.raises(InvalidArgumentError):
            BatchJobOperator.partial(task_id="t", retries=1).expand_kwargs([A | {"conn_id": "proofy_default"} | wrong])
