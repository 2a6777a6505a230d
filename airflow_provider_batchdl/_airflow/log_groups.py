"""Groups of log lines, which Airflow's UI folds up under their name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_batchdl._redaction.redactor import get_logger

log = get_logger(__name__)


@contextmanager
def log_group(name: str) -> Iterator[None]:
    """Group the log lines of this block in the UI; closed before an exception propagates.

    Airflow has GitHub's convention for it: a line ``::group::`` with a name, and a line ``::endgroup::``.
    """
    log.info("::group::%s", name)
    try:
        yield
    finally:
        log.info("::endgroup::")
