"""The phases of a job, and what each vendor calls them."""

from __future__ import annotations

from enum import Enum

BUILT_IN = ("revenuebase", "proofy", "batchcom", "apartmentiq")
"""Vendors whose classes come with the provider."""

DECLARED = ("openai_batch", "salesforce_bulk_query", "shopify_bulk", "neverbounce")
"""Vendors of the catalogue, by their documents' names."""

VENDORS = (*BUILT_IN, *DECLARED)


class Phase(Enum):
    """Where a job stands, in words of no vendor."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        """True if nothing more happens to the job."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.EXPIRED)


_WORDS: dict[str, tuple[str, ...]] = {
    # Vendor's OpenAPI names all six.
    "revenuebase": ("QUEUED", "PROCESSING", "COMPLETED", "ERROR", "CANCELLING", "CANCELLED"),
    # Only ``parsing`` and ``ready`` are documented; the other names are inferences.
    "proofy": ("parsing", "processing", "ready", "failed", "cancelled", "cancelled"),
    # Vendor's documentation: CREATED, PENDING, RUNNING, SUCCESS, ERROR. It has no cancellation at all; an export that
    # a test cancels by force shows as ERROR.
    "batchcom": ("CREATED", "RUNNING", "SUCCESS", "ERROR", "ERROR", "ERROR"),
    # Vendor's documentation has these four and no word for a job that waits or runs.
    "apartmentiq": ("submitted", "submitted", "succeeded", "failed", "cancelled", "cancelled"),
    # The reference's enumeration of a batch's status.
    "openai_batch": ("validating", "in_progress", "completed", "failed", "cancelling", "cancelled", "expired"),
    # The guide's page "Get Information About a Query Job" has these five.
    "salesforce_bulk_query": ("UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted", "Aborted"),
    # The enumeration BulkOperationStatus; EXPIRED means that the result's URL has expired.
    "shopify_bulk": ("CREATED", "RUNNING", "COMPLETED", "FAILED", "CANCELING", "CANCELED", "EXPIRED"),
    # The reference of /jobs/status. There is no cancellation; a job that a test cancels by force shows as failed.
    "neverbounce": ("queued", "running", "complete", "failed", "failed", "failed"),
}
LITERALS = {vendor: dict(zip(Phase, words, strict=False)) for vendor, words in _WORDS.items()}
"""Each vendor's own word for each phase; only some have one for the last."""

LATER_LITERALS: dict[str, dict[Phase, str]] = {
    "batchcom": {Phase.QUEUED: "PENDING"},
    "openai_batch": {Phase.RUNNING: "finalizing"},
    "neverbounce": {Phase.QUEUED: "parsing"},
}
"""A vendor's second word for a phase, served in the second half of its time."""

CONCURRENCY = {"proofy": 2, "neverbounce": 10}
"""How many jobs of an account run at a time; further ones queue (both: vendor's documentation)."""


def phase_named(vendor: str, state: str) -> Phase | None:
    """Return the phase that a phase's name or a vendor's literal stands for, or ``None`` for an unknown word."""
    later = LATER_LITERALS.get(vendor, {})
    for phase, literal in LITERALS[vendor].items():
        if state in (phase.value, literal, later.get(phase)):
            return phase
    return None
