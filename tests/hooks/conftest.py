from __future__ import annotations

from tests.support.airflow_fixtures import api, looks

__all__ = ["api", "looks"]
