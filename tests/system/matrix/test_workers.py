"""Workers die at the worst moments: one job at the vendor, one whole result, and a retry that ends well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from tests.support.airflow_features import needs_task_state_store
from tests.support.matrix.fixtures import Kill, Trigger
from tests.support.matrix.landed import assert_whole
from tests.support.matrix.marked import VENDORS
from tests.support.matrix.run import Run
from tests.support.stack.cases import DISTRIBUTED

pytestmark = [
    pytest.mark.timeout(1800),
    needs_task_state_store,
    # Where a task's process dies alone, Airflow hears of it at once; where all is lost, it has to miss it.
    pytest.mark.parametrize("kill", ["task", pytest.param("machine", marks=pytest.mark.long)], indirect=True),
]

also_in_make_test = pytest.mark.parametrize("stack", ["local", DISTRIBUTED], indirect=True)

RESULT_BYTES, BYTES_BEFORE = 6_000_000, 4_000_000


def finish(run: Run, task_ids: Iterable[str]) -> None:
    """Let the vendors end the tasks' only jobs."""
    for task_id in task_ids:
        run.job(task_id).finish()


def received(run: Run, task_id: str) -> int:
    """How many bytes of its result a task has put down; what it was sent may still be on its way."""
    try:
        return sum(path.stat().st_size for path in (run.landed / task_id).rglob("*") if path.is_file())
    except FileNotFoundError:  # one that was replaced just now
        return 0


def until_two_thirds(run: Run, task_ids: Iterable[str]) -> None:
    run.until("two thirds of every file", lambda: all(received(run, it) > BYTES_BEFORE * 0.85 for it in task_ids))


def assert_retried_to_the_end(run: Run, task_ids: Iterable[str], elsewhere: Path) -> None:
    """Every task is green in its second try, with one job, and has left what an undisturbed one leaves."""
    for task_id in task_ids:
        assert run.tries()[task_id] == 2
        assert_whole(run, task_id, run.job(task_id), elsewhere)


def test_before_the_submit(trigger: Trigger, kill: Kill, tmp_path: Path) -> None:
    run = trigger("before_submit")
    run.until_stopped(*VENDORS)
    run.strike(kill)
    assert not any(run.jobs(vendor) for vendor in VENDORS)
    run.until_submitted(*VENDORS)
    run.until_waiting(*VENDORS)
    finish(run, VENDORS)
    run.until_state("success")
    assert_retried_to_the_end(run, VENDORS, tmp_path)


@also_in_make_test
def test_between_the_submit_and_its_answer(
    trigger: Trigger, kill_vendors: Emulator, kill: Kill, tmp_path: Path
) -> None:
    """The job is adopted where the vendor lists it. Proofy does not: no second submission, but by the user's choice."""
    adopted = [vendor for vendor in VENDORS if vendor != "proofy"]
    kill_vendors.add_fault(Fault("stall", operation="submit", before_headers=True, seconds=600, times=5))
    run = trigger("uncertain")
    run.until_submitted(*VENDORS, "proofy_resubmit")
    run.strike(kill)
    kill_vendors.clear_faults()
    run.until_waiting(*adopted)
    finish(run, adopted)
    run.until("a second submission", lambda: len(run.jobs("proofy_resubmit")) == 2)
    for job in run.jobs("proofy_resubmit"):
        job.finish()
    run.until_ended()
    assert run.states() == {**dict.fromkeys([*adopted, "proofy_resubmit"], "success"), "proofy": "failed"}
    # In its second try, and without a third.
    assert run.tries() == dict.fromkeys(run.tries(), 2)
    assert "SubmitUncertainError" in run.log("proofy", 2)
    assert len(run.jobs("proofy")) == 1
    assert_retried_to_the_end(run, adopted, tmp_path)
    assert_whole(run, "proofy_resubmit", run.jobs("proofy_resubmit")[1], tmp_path)


def test_while_it_waits(trigger: Trigger, kill: Kill, tmp_path: Path) -> None:
    run = trigger("waiting")
    run.until_submitted(*VENDORS)
    run.until_waiting(*VENDORS)
    run.strike(kill)
    run.until_try(2, *VENDORS)
    run.until_waiting(*VENDORS)
    finish(run, VENDORS)
    run.until_state("success")
    assert_retried_to_the_end(run, VENDORS, tmp_path)


def test_at_the_deferral_and_when_it_resumes(trigger: Trigger, kill: Kill, tmp_path: Path) -> None:
    deferring, resuming = ("revenuebase", "apartmentiq"), ("proofy", "batchcom")
    run = trigger("deferring")
    run.until_stopped(*deferring)
    run.until_noticed(*resuming)
    finish(run, resuming)
    run.until_stopped(*resuming)
    run.strike(kill)
    run.until_try(2, *deferring)
    run.until_waiting(*deferring)
    finish(run, deferring)
    run.until_state("success")
    assert_retried_to_the_end(run, VENDORS, tmp_path)


@also_in_make_test
def test_in_the_middle_of_a_download(trigger: Trigger, kill_vendors: Emulator, kill: Kill, tmp_path: Path) -> None:
    """It goes on where it was; from the beginning where the vendor serves no ranges, or another file each time."""
    going_on, anew = ["apartmentiq", "apartmentiq_deferred"], ["batchcom", "revenuebase"]
    task_ids = [*going_on, *anew]
    for vendor in ("apartmentiq", *anew):
        kill_vendors.set_result(vendor, ResultSpec(bytes=RESULT_BYTES))
    stall = Fault("stall", operation="store", after_bytes=BYTES_BEFORE, seconds=600, times=3)
    kill_vendors.add_fault(stall)
    kill_vendors.add_fault(replace(stall, vendor="revenuebase", operation="download", times=1))
    run = trigger("downloading")
    run.until_submitted(*task_ids)
    run.until_waiting(*task_ids)
    # First the one that comes back from the triggerer: no download may stand still for as long as its client bears.
    for names in (going_on[1:], [*going_on[:1], *anew]):
        finish(run, names)
        until_two_thirds(run, names)
    run.strike(kill)
    run.until_state("success")
    served = {name: run.bytes_of(run.job(name)) for name in task_ids}
    assert max(served[name] for name in going_on) < 1.25 * RESULT_BYTES, served
    assert max(served[name] for name in anew) <= BYTES_BEFORE + RESULT_BYTES, served
    assert_retried_to_the_end(run, task_ids, tmp_path)


def test_when_the_result_is_published_and_nobody_knows(trigger: Trigger, kill: Kill, tmp_path: Path) -> None:
    run = trigger("published")
    run.until_submitted(*VENDORS)
    run.until_waiting(*VENDORS)
    finish(run, VENDORS)
    run.until_stopped(*VENDORS)
    served = run.bytes_of(run.job("batchcom"))
    run.strike(kill)
    run.until_state("success")
    assert run.bytes_of(run.job("batchcom")) == served, "if_exists='skip' has no need to download again"
    assert_retried_to_the_end(run, VENDORS, tmp_path)
