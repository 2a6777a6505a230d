"""The phases of a job, and what each vendor calls them."""

from __future__ import annotations

from enum import Enum

VENDORS = ("revenuebase", "proofy", "batchcom", "apartmentiq")


class Phase(Enum):
    """Where a job stands, in words of no vendor."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more happens to the job."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)


LITERALS: dict[str, dict[Phase, str]] = {
    # Vendor's OpenAPI names all six.
    "revenuebase": {
        Phase.QUEUED: "QUEUED",
        Phase.RUNNING: "PROCESSING",
        Phase.SUCCEEDED: "COMPLETED",
        Phase.FAILED: "ERROR",
        Phase.CANCELLING: "CANCELLING",
        Phase.CANCELLED: "CANCELLED",
    },
    # Only ``parsing`` and ``ready`` are documented; the other names are inferences.
    "proofy": {
        Phase.QUEUED: "parsing",
        Phase.RUNNING: "processing",
        Phase.SUCCEEDED: "ready",
        Phase.FAILED: "failed",
        Phase.CANCELLING: "cancelled",
        Phase.CANCELLED: "cancelled",
    },
    # Vendor's documentation: CREATED, PENDING, RUNNING, SUCCESS, ERROR. It has no cancellation at all; an export that
    # a test cancels by force shows as ERROR.
    "batchcom": {
        Phase.QUEUED: "CREATED",
        Phase.RUNNING: "RUNNING",
        Phase.SUCCEEDED: "SUCCESS",
        Phase.FAILED: "ERROR",
        Phase.CANCELLING: "ERROR",
        Phase.CANCELLED: "ERROR",
    },
    # Vendor's documentation has these four and no word for a job that waits or runs.
    "apartmentiq": {
        Phase.QUEUED: "submitted",
        Phase.RUNNING: "submitted",
        Phase.SUCCEEDED: "succeeded",
        Phase.FAILED: "failed",
        Phase.CANCELLING: "cancelled",
        Phase.CANCELLED: "cancelled",
    },
}
"""Each vendor's own word for each phase."""

BATCHCOM_PENDING = "PENDING"
"""Batch.com's second state of an export that has not started; served in the second half of the queue time."""

CONCURRENCY = {"proofy": 2}
"""How many jobs of an account run at a time; further ones queue (Proofy: vendor's documentation)."""


def phase_named(vendor: str, state: str) -> Phase | None:
    """Return the phase that a phase's name or a vendor's literal stands for, or ``None`` for an unknown word."""
    if vendor == "batchcom" and state == BATCHCOM_PENDING:
        return Phase.QUEUED
    for phase, literal in LITERALS[vendor].items():
        if state in (phase.value, literal):
            return phase
    return None
