"""Every vendor, to every kind of destination, deferred or not, under a real scheduler, workers and triggerers."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from tests.support.matrix.fixtures import Trigger
from tests.support.matrix.landed import assert_whole
from tests.support.matrix.marked import LANDINGS
from tests.support.seaweedfs import S3Store
from tests.support.stack.base import Stack
from tests.support.stack.cases import DISTRIBUTED

BUCKET = "landings"  # as the DAG has it


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stack", ["local", DISTRIBUTED], indirect=True)
def test_every_landing(
    stack: Stack, trigger: Trigger, kill_vendors: Emulator, s3_store: S3Store, tmp_path: Path
) -> None:
    extra = {"endpoint_url": s3_store.endpoint_url, "region_name": "us-east-1"}
    account = {"login": s3_store.access_key, "password": s3_store.secret_key, "extra": json.dumps(extra)}
    stack.api.set_connection("aws_test", {"conn_type": "aws", **account})
    kill_vendors.set_result("batchcom", ResultSpec(bytes=20_000))  # small enough for XCom
    with contextlib.closing(s3_store.client()) as client:
        client.create_bucket(Bucket=BUCKET)
        run = trigger("every_landing")
        run.until_waiting(*LANDINGS)
        for task_id in LANDINGS:
            run.job(task_id).finish()  # each has submitted one
        run.until_state("success")

        assert run.tries() == dict.fromkeys(LANDINGS, 1)
        logs = (stack.home.airflow / "logs" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}").rglob("*.trigger.*.log")
        deferred = {log.parent.name.removeprefix("task_id=") for log in logs}
        assert deferred == {name for name, (*_, mode) in LANDINGS.items() if mode == "deferred"}
        for task_id, (_, place, _) in LANDINGS.items():
            job = run.job(task_id)
            if place != "s3":
                assert_whole(run, task_id, job, tmp_path)
                continue
            [file], [served] = run.xcom(task_id)["files"], job.files()
            key = file["uri"].removeprefix(f"s3://aws_test@{BUCKET}/")
            content = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            assert hashlib.sha256(content).hexdigest() == file["sha256"] == served.sha256
