"""An auth manager with finer rights than Airflow's simple one: see ``USERS`` of `tests.support.ui_server`."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

from tests.support.ui_server import PRIVATE_CONNECTION, PRIVATE_DAG


class PerDagAuthManager(SimpleAuthManager):
    """Roles as in Airflow's simple auth manager, and what not all of its users may see."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, access_entity: Any = None, **rest: Any) -> bool:
        """Whether ``user`` may do that to the DAG of ``details``."""
        if user.username == "stranger" and details is not None and details.id == PRIVATE_DAG:
            return False
        if user.username == "narrow" and access_entity is DagAccessEntity.AUDIT_LOG:
            return False
        return super().is_authorized_dag(user=user, details=details, access_entity=access_entity, **rest)

    def is_authorized_connection(self, *, user: Any, details: Any = None, **rest: Any) -> bool:
        """Whether ``user`` may do that to the connection of ``details``."""
        if user.username == "stranger" and details is not None and details.conn_id == PRIVATE_CONNECTION:
            return False
        return super().is_authorized_connection(user=user, details=details, **rest)

    def is_authorized_asset(self, *, user: Any, **rest: Any) -> bool:
        """Whether ``user`` may do that to an asset."""
        return user.username != "narrow" and super().is_authorized_asset(user=user, **rest)
