"""Poll requests of one account: within its rate limit, bounded in time, with typed errors only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import TypeVar

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.client import AsyncBatchClient, policy
from airflow_provider_batchdl.client.throttle import PollQueue, throttle_for
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    RateLimitedError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.polling.schedule import NEVER
from airflow_provider_batchdl.vendors.base import Flow, Vendor

log = get_logger(__name__)

T = TypeVar("T")

# Seconds that one poll may take, retries and the vendor's Retry-After included.
POLL_SECONDS = 300.0
# Polls that may be in flight at once: a slow response about one job must not delay the others. Those that have taken
# SLOW_SECONDS are counted apart.
MAX_POLLS = 4
SLOW_SECONDS = 10.0
MAX_SLOW_POLLS = 32
# Kinds of untyped errors whose traceback an account logs; of each kind the first.
MOST_TRACEBACKS = 50


class PollRequests:
    """Sends one account's polls. ``on_answer`` gets the ``kind`` and ``due`` of each answered one, and the time."""

    def __init__(self, vendor: Vendor, on_answer: Callable[[str, float | None, float], None]) -> None:
        self.vendor = vendor
        self.refused_at = float("-inf")
        """Time, by the event loop's clock, at which the vendor last rejected the account's credentials."""
        self.throttle = throttle_for(vendor)
        self._queue = PollQueue(self.throttle)
        self._on_answer = on_answer
        self._failures = 0
        self._began: dict[asyncio.Task[object] | None, float] = {}
        self._logged: set[object] = set()

    async def ask(
        self,
        client: AsyncBatchClient,
        flow: Flow[T],
        *,
        kind: str = "single",
        due: float | None = None,
        urgent: bool = False,
    ) -> T:
        """Run ``flow`` within the rate limit; ``kind`` and ``due`` are for the metrics. Errors are typed."""
        async with self._queue.turn(urgent=urgent):
            value = await self._run(client, flow)
        self._failures = 0
        self._on_answer(kind, due, self._now())
        return value

    async def _run(self, client: AsyncBatchClient, flow: Flow[T]) -> T:
        task = asyncio.current_task()
        self._began[task] = self._now()
        try:
            async with asyncio.timeout(POLL_SECONDS):
                return await client.run(flow, admitted=True)
        except AuthenticationError:
            self.refused_at = self._now()
            raise
        except BatchDlError:
            raise
        except TimeoutError:
            raise VendorUnavailableError("The poll took too long.", vendor=self.vendor.name) from None
        except Exception as error:  # a bug in a vendor's code, or what a library raises over an answer
            raise self.typed(error) from error
        finally:
            del self._began[task]

    def free_at(self, polls: Collection[asyncio.Task[None]], now: float) -> float:
        """Time at which the next poll may start beside these, unless one of them ends before."""
        if len(polls) >= MAX_SLOW_POLLS:
            return NEVER
        since = [self._began.get(poll, now) for poll in polls]
        quick = [began for began in since if now - began < SLOW_SECONDS]
        return now if len(quick) < MAX_POLLS else min(quick) + SLOW_SECONDS

    def typed(self, error: BaseException) -> BatchDlError:
        """``error``, or the typed error for an unexpected one: it concerns one poll, and a retry may help."""
        if isinstance(error, BatchDlError):
            return error
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        seen = (type(error), place and (place.tb_frame.f_code, place.tb_lineno))
        if seen not in self._logged and len(self._logged) < MOST_TRACEBACKS:
            self._logged.add(seen)
            log.error("Poll of %s failed with an unexpected error", self.vendor.label, exc_info=error)
        return UnexpectedResponseError(
            f"Poll of {self.vendor.label} failed with an unexpected error: {type(error).__name__}.",
            vendor=self.vendor.name,
            remedy="Retry the task; if it persists, report it with the traceback in the triggerer's log.",
        )

    def back_off(self, error: BatchDlError) -> None:
        """Put the whole account on hold: after a 429 for its Retry-After, else from the second failure in a row on."""
        if not error.retryable or isinstance(error, UnexpectedResponseError):
            return  # it is about one job
        self._failures += 1
        if isinstance(error, RateLimitedError):
            pause = policy.backoff(self._failures, error.retry_after)
        elif self._failures > 1:
            pause = policy.backoff(self._failures)
        else:
            return
        self.throttle.hold(pause)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
