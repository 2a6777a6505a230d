"""Figures on the pages are those of the code: each text is a part of a page, made of the constant that it is about."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_provider_batchdl import retries
from airflow_provider_batchdl._airflow import job_note, on_kill
from airflow_provider_batchdl._tasks import assets, deferral, download_mixin
from airflow_provider_batchdl._values import storable
from airflow_provider_batchdl.client import limits, policy, throttle
from airflow_provider_batchdl.hooks import _client, _files
from airflow_provider_batchdl.polling import backoff, interval
from airflow_provider_batchdl.transfer import cleanup, progress, publishing
from airflow_provider_batchdl.transfer.content import base, head
from airflow_provider_batchdl.transfer.parallel import MAX_CONNECTIONS, division
from airflow_provider_batchdl.transfer.sinks import buffered
from airflow_provider_batchdl.transfer.sinks.s3 import checkpointed
from airflow_provider_batchdl.transfer.source import connection, retry_budget, stream
from airflow_provider_batchdl.triggers import events, job, poll_notes, poll_stats, requests
from airflow_provider_batchdl.ui import actions, filters
from airflow_provider_batchdl.vendors import batchcom, errors, files, listing, proofy, retry_after, vendor_class
from airflow_provider_batchdl.vendors.declared import reading

DOCS = Path(__file__).resolve().parents[1] / "docs"
KIB, MIB = 2**10, 2**20
WORDS: dict[float, str] = {2: "two", 3: "three", 4: "four", 5: "five", 10: "ten"}
RATES = [vendor_class(name) for name in ("revenuebase", "proofy", "batchcom", "apartmentiq")]

FIGURES = {
    "vendors.md": [
        f"| default poll interval | {' | '.join(f'{kind.poll_interval:.0f} s' for kind in RATES)} |",
        *(f"{limit.requests:,} in {limit.seconds:,.0f} s" for kind in RATES for limit in kind.rate_limits),
        f"The first {files.HEAD // KIB} KiB of a list of addresses",
        f"A response may take {limits.ANSWER_SECONDS:.0f} seconds",
        f"It may have {policy.LARGEST_ANSWER // MIB} MiB, a page of a list {policy.LARGEST_LIST // MIB} MiB",
        f"A list may have {listing.MOST_PAGES} pages",
        f"up to {proofy.MOST_ADDRESSES:,}",
        f"A `from` of more than {batchcom.LOOKBACK.days} days ago",
        f"The API's version is {batchcom.DEFAULT_VERSION};",
    ],
    "durability.md": [
        f"at most {listing.MOST_PAGES} pages of a list",
        f"Messages have at most {storable.LONGEST_MESSAGE:,} characters",
        f"the first ones ({events.LARGEST_FILES // KIB} KiB)",
        f"more than {storable.DEEPEST} levels",
        f"up to {_files.LARGEST_READ // MIB} MiB the content",
        f"{WORDS[backoff.MAX_FAILURES]} consecutive ones end that wait",
        f"{WORDS[listing.LISTED_WITHIN // 60]} minutes after its submit",
        f"in up to {WORDS[on_kill.ATTEMPTS]} attempts",
        f"longer than {WORDS[requests.SLOW_SECONDS]} seconds delay no other poll",
        f"After {retries.MOST_RESCHEDULES} times, or a day",
        f"`Retry-After` of up to {WORDS[throttle.LONGEST_WAIT / 60]} minutes",
        f"written more than {cleanup.A_MONTH.days} days ago",
    ],
    "security.md": [
        f"quoted, up to {errors.LONGEST_MESSAGE} characters",
        f"up to {download_mixin.MAX_XCOM_BYTES // KIB} KiB",
    ],
    "declared-vendors.md": [
        f"{reading.LARGEST // KIB} KiB, {reading.DEEPEST} levels and {reading.MOST_VALUES:,} values"
    ],
    "configuration.md": [
        f"{WORDS.get(interval.WIDEST, 'eight')} times that, at most {interval.LONGEST_BY_DEFAULT:.0f}",
        f"{download_mixin.MAX_XCOM_BYTES // KIB} KiB",
        f"{WORDS[job.SCHEDULER_SECONDS]} seconds after it",
    ],
    "connections.md": [f"for at most {WORDS[_client.TEST_SECONDS]} seconds"],
    "observability.md": [
        f"when {WORDS[progress.INTERVAL]} seconds have passed *and* another {progress.STEP * 100:.0f} %",
        f"Of more than {poll_stats.MOST} polls or ends within {WORDS[poll_stats.INTERVAL]} seconds",
        f"longer than {assets.LONGEST_PARTITION_KEY} characters",
    ],
    "ui.md": [
        f"{filters.PAGE_SIZE} jobs a page",
        f"waits {WORDS[actions.PATIENCE]} seconds at most",
        f"of each triggerer {WORDS[1 / poll_notes.WRITE_SECONDS]} a second",
    ],
    "downloads.md": [
        f"{WORDS[retry_budget.FAILURES_WITHOUT_PROGRESS].title()} failures in a row without a new byte",
        f"less than {stream.SLOWEST // KIB} KiB a second over a minute",
        f"one every {checkpointed.EVERY // MIB} MiB, on any machine",
        f"for files from {checkpointed.WORTH_RECORDING // MIB} MiB",
        f"one PUT up to {buffered.SMALL // KIB} KiB",
        f"pieces of {division.PIECE // MIB} MiB",
        f"{division.PIECE * (MAX_CONNECTIONS + 1) // MIB} MiB at eight connections",
        f"and {division.WORTH_DIVIDING // MIB} MiB and a second",
        f"records above {base.MOST // MIB} MiB",
        f"first {head.SMALL // KIB} KiB",
        f"{WORDS[publishing.LONGEST_WAIT / 60]} minutes at most",
    ],
}  # fmt: skip


@pytest.mark.parametrize("page", FIGURES)
def test_figures_are_those_of_the_code(page: str) -> None:
    text = " ".join((DOCS / page).read_text().split())
    assert [figure for figure in FIGURES[page] if figure not in re.sub(r" +", " ", text)] == []


def test_what_is_said_to_last_a_day_a_minute_or_an_hour_does() -> None:
    assert deferral.LONGEST_WAIT.days == 1
    assert job_note.POLL_SECONDS == stream.RATE_WINDOW == connection.IDLE_TIMEOUT == progress.LONGEST_SILENCE == 60
    assert (throttle.MAX_HOLD, retry_after.LONGEST_ASKED) == (3600, 86_400)
