"""XComs that a task pushes while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import get_logger

if TYPE_CHECKING:
    from airflow.sdk import Context

log = get_logger(__name__)


def try_push(context: Context, key: str, value: Any) -> bool:
    """Push an XCom; return whether Airflow accepted it.

    An API server that is down must not fail a try that has paid for a job and can resume it.
    """
    try:
        context["ti"].xcom_push(key=key, value=value)
    except Exception as error:  # noqa: BLE001  whatever stands between a task and Airflow's database
        log.warning("Cannot push XCom %s: %s", key, error)
        return False
    return True
