"""Rights: the same as on Airflow's own pages, asked of its auth manager.

A job is shown to who may read its DAG's task instances and XComs. The vendor is asked, and a job cancelled, by who may
change the DAG's task instances, as for "Mark as failed", and read the connection, whose credentials the request uses.
Connections, assets, and entries of Airflow's audit log are shown to who may read those.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    AssetDetails,
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models import Connection, DagModel
from fastapi import Depends, HTTPException

from airflow_provider_batchdl._airflow.compat import is_testing_enabled
from airflow_provider_batchdl._values.storable import is_storable_text

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod

READ = (DagAccessEntity.TASK_INSTANCE, DagAccessEntity.XCOM)
CHANGE = (DagAccessEntity.TASK_INSTANCE,)


class Refused(HTTPException):
    """A refusal with words of its own, which its page shows."""


def _may(user: Any, method: ResourceMethod, entities: tuple[DagAccessEntity, ...], dag_id: str | None) -> bool:
    """True if the user may do that to these parts of a DAG; of all DAGs, to any of them, for None."""
    if not is_storable_text(dag_id or ""):
        raise HTTPException(404)  # Airflow looks for it in its database, and PostgreSQL refuses a U+0000
    manager, team = get_auth_manager(), DagModel.get_team_name(dag_id) if dag_id else None
    details = DagDetails(id=dag_id, team_name=team)
    return all(
        manager.is_authorized_dag(method=method, access_entity=each, details=details, user=user) for each in entities
    )


def readable_dags(user: GetUserDep, dag_id: str = "") -> set[str]:
    """Ids of the DAGs whose jobs the user may see; a dependency of the list, which may be limited to ``dag_id``."""
    if not _may(user, "GET", READ, dag_id or None):
        raise HTTPException(403)
    return set(get_auth_manager().get_authorized_dag_ids(user=user, method="GET"))


def require_read(user: GetUserDep, dag_id: str) -> None:
    """Refuse, with 403, a user who may not read the DAG; a dependency of a job's page."""
    if not _may(user, "GET", READ, dag_id):
        raise HTTPException(403)


def require_change(user: GetUserDep, dag_id: str) -> None:
    """Refuse, with 403, a user who may not change the DAG's task instances; a dependency of the actions."""
    require_read(user, dag_id)
    if not may_change(user, dag_id):
        raise HTTPException(403)


def may_change(user: Any, dag_id: str) -> bool:
    """True if the user may change the DAG's task instances."""
    return _may(user, "PUT", CHANGE, dag_id)


def may_read_audit_log(user: Any, dag_id: str) -> bool:
    """True if the user may see what users did to the DAG's tasks."""
    return _may(user, "GET", (DagAccessEntity.AUDIT_LOG,), dag_id)


def may_read_asset(user: Any, asset_id: int) -> bool:
    """True if the user may see the asset."""
    details = AssetDetails(id=str(asset_id))
    return bool(get_auth_manager().is_authorized_asset(method="GET", details=details, user=user))


def _may_connection(user: Any, method: ResourceMethod, conn_id: str) -> bool:
    if not is_storable_text(conn_id):
        return False
    details = ConnectionDetails(conn_id=conn_id, team_name=Connection.get_team_name(conn_id))
    return bool(get_auth_manager().is_authorized_connection(method=method, details=details, user=user))


def readable_connections(user: Any, conn_ids: Iterable[str]) -> set[str]:
    """The connections, of those given, that the user may see."""
    return {conn_id for conn_id in conn_ids if _may_connection(user, "GET", conn_id)}


def require_connection(user: Any, conn_id: str) -> None:
    """Refuse, with 403, a user who may not read the connection whose credentials a request would use."""
    if not _may_connection(user, "GET", conn_id):
        raise Refused(403, f"Asking the vendor and cancelling need the right to read connection {conn_id}.")


def require_test(user: Any, conn_id: str) -> None:
    """Refuse, with 403, who may not both read and change the connection, and anybody where Airflow tests none."""
    if not is_testing_enabled():
        raise Refused(403, "To test connections here, set [core] test_connection = Enabled for Airflow's API server.")
    if not (_may_connection(user, "GET", conn_id) and _may_connection(user, "PUT", conn_id)):
        raise Refused(403, "Testing a connection needs the rights to read and to change it.")


ReadableDags = Annotated[set[str], Depends(readable_dags)]
