from __future__ import annotations

from tests.support.airflow_fixtures import api, looks
from tests.support.airflow_stats import stats

__all__ = ["api", "looks", "stats"]
