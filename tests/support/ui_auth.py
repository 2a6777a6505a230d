"""An auth manager with rights by DAG: Airflow's simple one, in which "stranger" may not even read one of the DAGs."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

from tests.support.ui_server import PRIVATE_DAG


class PerDagAuthManager(SimpleAuthManager):
    """Roles as in Airflow's simple auth manager, and one DAG that not all of its users may see."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **rest: Any) -> bool:
        """Whether ``user`` may do that to the DAG of ``details``."""
        if user.username == "stranger" and details is not None and details.id == PRIVATE_DAG:
            return False
        return super().is_authorized_dag(user=user, details=details, **rest)
