"""Airflow's settings for tests: what is gone is noticed in seconds, not minutes, and a task starts quickly."""

from __future__ import annotations

from demo.home import Settings

# Not shorter still: what is taken for dead loses its try or its triggers. A live triggerer was silent for 34 s on a
# busy machine, at its first wait, where it builds its task API.
TASK_SECONDS, TRIGGERER_SECONDS, SCHEDULER_SECONDS = 45, 45, 30

IMPATIENT: dict[str, dict[str, int]] = {
    "core": {
        "parallelism": 16,
        "max_active_tasks_per_dag": 1000,
        "max_active_runs_per_dag": 100,
        "dagbag_import_timeout": 120,
    },
    "scheduler": {
        "job_heartbeat_sec": 2,
        "scheduler_heartbeat_sec": 1,
        "scheduler_health_check_threshold": SCHEDULER_SECONDS,
        "orphaned_tasks_check_interval": 10,
        "task_instance_heartbeat_timeout": TASK_SECONDS,
        "task_instance_heartbeat_timeout_detection_interval": 3,
        "trigger_timeout_check_interval": 3,
        # A task that a worker took with it unread; at most twice, by `num_stuck_in_queued_retries`.
        "task_queued_timeout": 120,
        "task_queued_timeout_check_interval": 10,
    },
    "triggerer": {
        "job_heartbeat_sec": 2,
        # So long after its last heartbeat a triggerer's triggers go to another.
        "triggerer_health_check_threshold": TRIGGERER_SECONDS,
        # Includes what its process takes to start.
        "runner_health_check_threshold": 300,
    },
    "dag_processor": {
        # New files are found in seconds.
        "refresh_interval": 3,
        "bundle_refresh_check_interval": 1,
        "min_file_process_interval": 10,
        "health_check_threshold": 60,
    },
    "api": {"maximum_page_limit": 1000},
}


def merged(*settings: Settings) -> dict[str, dict[str, object]]:
    """All settings, the later before the earlier."""
    found: dict[str, dict[str, object]] = {}
    for each in settings:
        for section, options in each.items():
            found.setdefault(section, {}).update(options)
    return found


# airflow_local_settings.py, which each component reads as it starts. Half of a small task's CPU is importing what its
# DAG file and its download need; processes that are forked from one that has it find it there.
PRELOADING = """\
import sys

if {"scheduler", "celery", "dag-processor"} & set(sys.argv):
    import airflow_provider_batchdl.hooks._storage
    import airflow_provider_batchdl.operators.run
    import airflow_provider_batchdl.operators.submit
    import airflow_provider_batchdl.plugin
    import airflow_provider_batchdl.sensors.job
"""
