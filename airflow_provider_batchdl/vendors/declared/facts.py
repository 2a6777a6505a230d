"""The facts of a vendor's class, as its document has them."""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.vendors.checking import RequestRules
from airflow_provider_batchdl.vendors.declared.document import Basic, Document
from airflow_provider_batchdl.vendors.files import FileRules
from airflow_provider_batchdl.vendors.listing import Listing
from airflow_provider_batchdl.vendors.pointers import several
from airflow_provider_batchdl.vendors.requests import RateLimit
from airflow_provider_batchdl.vendors.states import fold


def facts_of(document: Document) -> dict[str, Any]:
    """The class variables of a vendor that a document describes, see ``Vendor``."""
    states = {word: JobState(state) for word, state in document.states.items()}
    partial = {fold(word) for word in document.partial}
    cancelled = {fold(word) for word, state in states.items() if state is JobState.CANCELLED}
    call = document.list
    first = several(document.job.id)[0] if document.job.id else ""
    return {
        "document": document,
        "name": document.name,
        "label": document.label,
        "default_host": document.base_url or "",
        "docs_url": document.docs_url,
        "states": states,
        "poll_interval": document.poll_interval,
        "rate_limits": tuple(map(RateLimit.of, document.rate_limits)),
        "keeps_partial_results": bool(partial & cancelled),
        "zone": document.zone,
        "request_rules": None if document.request is None else RequestRules(document.request),
        "file_rules": document.file or (FileRules() if any(step.upload for step in document.steps) else None),
        "listing": None if call is None else Listing(call.active_only, call.newest_first, call.complete),
        "extra_members": {name: member.description for name, member in document.extra.items()},
        "has_plain_secret": not isinstance(document.auth, Basic),
        "id_member": first.rpartition("/")[2] or "id",
    }
