"""Page "Batch jobs" in Airflow's UI: jobs with their states, errors and results, from Airflow's own database.

Only :mod:`airflow_provider_batchdl.ui.mount` is imported when Airflow starts; the rest when the API server gets the
first request for the page. Nothing here is imported on a worker, in a triggerer or while DAGs are parsed.
"""

from __future__ import annotations

__all__: list[str] = []
