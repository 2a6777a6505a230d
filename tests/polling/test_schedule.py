"""Who is polled next: everyone in turn, together where a list can tell, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from airflow_provider_batchdl.client.throttle import Priority, Throttle
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.polling.backoff import JITTER, PollBackoff
from airflow_provider_batchdl.polling.interval import interval
from airflow_provider_batchdl.polling.schedule import NEVER, PollSchedule, ScheduledPoll
from airflow_provider_batchdl.polling.waiters import Waiter, Waiters
from airflow_provider_batchdl.vendors.base import RateLimit


def wait(name: str, shortest: float = 10.0) -> ScheduledPoll:
    return ScheduledPoll(name, shortest)


def test_nothing_is_due_before_its_time() -> None:
    schedule: PollSchedule[ScheduledPoll] = PollSchedule(lists=True)
    assert schedule.take(1e9) is None
    schedule.plan(wait("a"), 5.0, alone=False)
    assert schedule.next_due() == 5.0
    assert schedule.take(4.9) is None


def test_one_job_is_looked_up_by_itself() -> None:
    schedule: PollSchedule[ScheduledPoll] = PollSchedule(lists=True)
    one = wait("a")
    schedule.plan(one, 5.0, alone=False)
    schedule.plan(wait("b"), 50.0, alone=False)
    assert schedule.take(5.0) is one


def test_several_that_are_due_about_now_are_looked_for_in_the_list() -> None:
    schedule: PollSchedule[ScheduledPoll] = PollSchedule(lists=True)
    near, soon, later = wait("a"), wait("b"), wait("c")
    for each, due in ((near, 5.0), (soon, 7.0), (later, 9.0)):
        schedule.plan(each, due, alone=False)
    assert schedule.take(5.0) == [near, soon]
    assert schedule.take(20.0) is None  # one list at a time
    schedule.passed()
    assert schedule.take(20.0) is later


def test_without_a_list_they_come_one_by_one() -> None:
    schedule: PollSchedule[ScheduledPoll] = PollSchedule(lists=False)
    waits = [wait(str(number)) for number in range(5)]
    for number, each in enumerate(waits):
        schedule.plan(each, float(number), alone=False)
    assert [schedule.take(10.0) for _ in waits] == waits


def test_what_the_list_does_not_show_goes_on_beside_it() -> None:
    schedule: PollSchedule[ScheduledPoll] = PollSchedule(lists=True)
    left, *listed = [wait(str(number)) for number in range(4)]
    schedule.plan(left, 6.0, alone=True)
    for each in listed:
        schedule.plan(each, 5.0, alone=False)
    assert schedule.take(6.0) == listed
    assert schedule.take(6.0) is left


def test_what_was_dropped_never_comes() -> None:
    schedule: PollSchedule[ScheduledPoll] = PollSchedule(lists=True)
    waits = [wait(str(number)) for number in range(100)]
    for number, each in enumerate(waits):
        schedule.plan(each, float(number), alone=number % 2 == 0)
    for each in waits[:99]:
        schedule.drop(each)
    assert schedule.take(1000.0) is waits[99]
    assert schedule.next_due() == NEVER


def test_putting_thousands_off_again_and_again_does_not_grow_the_heap() -> None:
    schedule: PollSchedule[ScheduledPoll] = PollSchedule(lists=True)
    waits = [wait(str(number)) for number in range(1000)]
    for now in range(50):
        for each in waits:
            schedule.plan(each, now + 10.0, alone=False)
        schedule.take(float(now))
    assert len(schedule._listed) <= 2000


class Agendas(RuleBasedStateMachine):
    """The agenda, and beside it a plain dictionary of what is due when."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule: PollSchedule[ScheduledPoll] = PollSchedule(lists=True)
        self.waits = [wait(str(number)) for number in range(6)]
        self.due: dict[ScheduledPoll, float] = {}
        self.now = 0.0
        self.passing = False

    @rule(index=st.integers(0, 5), after=st.floats(0, 40), alone=st.booleans())
    def plan(self, index: int, after: float, alone: bool) -> None:
        self.schedule.plan(self.waits[index], self.now + after, alone=alone)
        self.due[self.waits[index]] = self.now + after

    @rule(index=st.integers(0, 5))
    def drop(self, index: int) -> None:
        self.schedule.drop(self.waits[index])
        self.due.pop(self.waits[index], None)

    @rule(seconds=st.floats(0, 20))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(lists=st.booleans())
    def take(self, lists: bool) -> None:
        able = {each: due for each, due in self.due.items() if each.alone or not self.passing}
        taken = self.schedule.take(self.now, lists=lists)
        if taken is None:
            assert not able or min(able.values()) > self.now
            return
        group = taken if isinstance(taken, list) else [taken]
        assert min(self.due[each] for each in group) == min(able.values()) <= self.now
        for each in group:
            del self.due[each]
        if isinstance(taken, list):
            assert lists
            assert len(group) >= 2
            assert not any(each.alone for each in group)
            self.passing = True

    @precondition(lambda self: self.passing)
    @rule()
    def list_is_over(self) -> None:
        self.schedule.passed()
        self.passing = False

    @invariant()
    def it_knows_when_it_is_due(self) -> None:
        able = [due for each, due in self.due.items() if each.alone or not self.passing]
        assert self.schedule.next_due() == min(able, default=NEVER)


TestAgendas = Agendas.TestCase


@given(
    st.integers(1, 60),
    st.sampled_from([RateLimit(25, 60.0), RateLimit(1, 1.0), RateLimit(100, 300.0)]),
    st.integers(0, 99),
    st.booleans(),
)
def test_nobody_starves(jobs: int, limit: RateLimit, seed: int, lists: bool) -> None:
    """Every job is polled within its longest interval plus one turn of everybody, whatever comes and goes."""
    shortest, longest = 20.0, 60.0
    chance = random.Random(seed)
    schedule: PollSchedule[ScheduledPoll] = PollSchedule(lists=lists)
    throttle = Throttle([limit])
    waits = [wait(str(number), shortest) for number in range(jobs)]
    last = dict.fromkeys(waits, 0.0)
    for each in waits:
        schedule.plan(each, chance.uniform(0.9, 1.1) * shortest, alone=False)
    now, gaps = 0.0, []
    for _ in range(300):
        now = max(now, schedule.next_due())
        now += throttle.wait(now, Priority.POLL)
        taken = schedule.take(now)
        assert taken is not None
        throttle.spend(now)
        schedule.passed()
        for each in waits if isinstance(taken, list) else [taken]:
            gaps.append(now - last[each])
            last[each] = now
            alone = chance.random() < 0.1
            schedule.plan(each, now + chance.uniform(shortest, longest), alone=alone)
    turn = jobs * limit.seconds / limit.requests / 0.9
    assert max(gaps) <= longest + turn + 1
    assert now - min(last.values()) <= longest + turn + 1


def test_a_sweep_keeps_the_order() -> None:
    schedule: PollSchedule[ScheduledPoll] = PollSchedule(lists=False)
    waits = [wait(str(number)) for number in range(60)]
    order = random.Random(7).sample(range(60), 60)
    for each, due in zip(waits, order, strict=True):
        schedule.plan(each, float(due), alone=False)
    for each in waits[10:50]:
        schedule.drop(each)
    left = sorted(zip(order, waits, strict=True), key=lambda pair: pair[0])
    expected = [each for _, each in left if each in waits[:10] + waits[50:]]
    assert [schedule.take(100.0) for _ in expected] == expected


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


SHORTEST, LONGEST, HOURS_4 = 30.0, 240.0, 4 * 3600.0


def requests_of_four_hours(jobs: int, loop: asyncio.AbstractEventLoop) -> int:
    """Requests for jobs that were submitted together and outlive their deadline; none is polled later than promised."""
    waiters = Waiters(lists=True)
    for number in range(jobs):
        ended, backoff = loop.create_future(), PollBackoff(SHORTEST)
        made = Waiter(
            job_id=str(number), interval=SHORTEST, shortest=SHORTEST, longest=LONGEST, ended=ended, backoff=backoff,
            since=0.0, deadline=HOURS_4,
        )  # fmt: skip
        waiters.add(made, 0.0)
    requests = 0
    while not all(each.ended.done() for each in waiters):
        now = waiters.schedule.next_due()
        taken = waiters.schedule.take(now)
        for each in waiters if isinstance(taken, list) else [each for each in waiters if each is taken]:
            promised = interval(each.seen_at, None, SHORTEST, LONGEST)
            assert now <= each.seen_at + promised * (1 + JITTER)
            waiters.saw(each.job_id, Job(each.job_id, JobState.RUNNING, ""), now, listed=isinstance(taken, list))
        waiters.schedule.passed()
        requests += 1
    assert {each.seen_at for each in waiters} == {HOURS_4}
    return requests


@pytest.mark.parametrize("jobs", [2, 5, 30])
def test_old_jobs_are_polled_together_however_few_they_are(jobs: int, loop: asyncio.AbstractEventLoop) -> None:
    one = requests_of_four_hours(1, loop)
    assert requests_of_four_hours(jobs, loop) <= 1.25 * one


@pytest.mark.parametrize("alone", [True, False])
def test_a_wait_moved_forward_comes_at_its_new_time(alone: bool) -> None:
    schedule: PollSchedule[ScheduledPoll] = PollSchedule(lists=True)
    one = wait("a")
    schedule.plan(one, 100.0, alone=False)
    schedule.plan(one, 5.0, alone=alone)
    assert schedule.take(5.0) is one
    assert schedule.take(1000.0) is None
