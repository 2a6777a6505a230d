"""Groups of a task's log, which Airflow's page folds up under their name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_batchdl.redaction import get_logger

log = get_logger(__name__)


@contextmanager
def log_group(name: str) -> Iterator[None]:
    """Fold up what is logged meanwhile. It is closed however it ends, so that an error stands below it, in sight.

    Airflow's own convention, taken from GitHub's: a line ``::group::`` with a name, and a line ``::endgroup::``.

    Args:
        name: what stands there instead.
    """
    log.info("::group::%s", name)
    try:
        yield
    finally:
        log.info("::endgroup::")
