"""The requests of one account's waits: at its pace, bounded in time, and each failure a typed one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import TypeVar

from airflow_provider_batchdl.client import AsyncBatchClient, policy
from airflow_provider_batchdl.client.ratelimit import LONGEST_PAUSE, limiter_for
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    RateLimitedError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.triggers.agenda import NEVER
from airflow_provider_batchdl.triggers.pace import Pace
from airflow_provider_batchdl.vendors.base import Flow, Vendor

log = get_logger(__name__)

T = TypeVar("T")

# Seconds that one request may take, retries and the vendor's own pauses included.
LONGEST_LOOK = 300.0
# Looks that may be under way at once: a slow answer about one job must not hold up the others. Those that have been
# slow for so many seconds are counted apart.
LOOKS_AT_ONCE = 4
SLOW_SECONDS = 10.0
SLOW_AT_ONCE = 32
# Kinds of untyped errors whose traceback an account logs; of each kind the first.
MOST_TRACEBACKS = 50


class PacedRequests:
    """Asks one account's vendor.

    Args:
        vendor: the vendor, with the account.
        on_answer: is told of each answer: the ``kind`` and the ``due`` of :meth:`ask`, and the event loop's time.
    """

    def __init__(self, vendor: Vendor, on_answer: Callable[[str, float | None, float], None]) -> None:
        self.vendor = vendor
        self.refused_at = float("-inf")
        self.pace = Pace(limiter_for(vendor).limits)
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
        """Ask the vendor; see ``AccountWatch.ask``."""
        await self.pace.turn(urgent=urgent)
        task, answered = asyncio.current_task(), False
        self._began[task] = self._now()
        try:
            async with asyncio.timeout(LONGEST_LOOK):
                value = await client.run(flow)
            answered = True
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
            self.pace.answered(well=answered)
        self._failures = 0
        self._on_answer(kind, due, self._now())
        return value

    def free_at(self, looks: Collection[asyncio.Task[None]], now: float) -> float:
        """When the next look may begin beside these, unless one of them is over before."""
        if len(looks) >= SLOW_AT_ONCE:
            return NEVER
        since = [self._began.get(look, now) for look in looks]
        quick = [began for began in since if now - began < SLOW_SECONDS]
        return now if len(quick) < LOOKS_AT_ONCE else min(quick) + SLOW_SECONDS

    def typed(self, error: BaseException) -> BatchDlError:
        """``error``, or what stands for one that nobody foresaw: it concerns one poll, and may pass."""
        if isinstance(error, BatchDlError):
            return error
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        seen = (type(error), place and (place.tb_frame.f_code, place.tb_lineno))
        if seen not in self._logged and len(self._logged) < MOST_TRACEBACKS:
            self._logged.add(seen)
            log.error("A poll of %s failed in a way that nobody foresaw.", self.vendor.label, exc_info=error)
        return UnexpectedResponseError(
            f"A poll of {self.vendor.label} failed in a way that nobody foresaw: {type(error).__name__}.",
            vendor=self.vendor.name,
            remedy="Retry the task; if it stays, report it with the traceback in the triggerer's log.",
        )

    def back_off(self, error: BatchDlError) -> None:
        """Leave the whole account alone: after a 429 as long as it says, else from the second failure in a row on.

        Never longer than ``LONGEST_PAUSE``: then one request finds out whether the account is served again.
        """
        if not error.retryable or isinstance(error, UnexpectedResponseError):
            return  # it is about one job
        self._failures += 1
        if isinstance(error, RateLimitedError):
            pause = policy.backoff(self._failures, error.retry_after)
        elif self._failures > 1:
            pause = policy.backoff(self._failures)
        else:
            return
        self.pace.hold(self._now() + min(pause, LONGEST_PAUSE))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
