from __future__ import annotations

from tests.support.airflow_fixtures import api, looks, quiet_access_log

__all__ = ["api", "looks", "quiet_access_log"]
