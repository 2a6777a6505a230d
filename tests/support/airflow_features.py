"""What the Airflow at hand lacks: marks for the tests of it, and stand-ins where only the name differs."""

from __future__ import annotations

import airflow.sdk
import airflow.sdk.log
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk.definitions.context import Context

try:
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime
except ImportError:  # Airflow 3.1 has one for both sides
    ProvidersManagerTaskRuntime = ProvidersManager  # type: ignore[assignment, misc]

try:
    from airflow.sdk.serde import deserialize, serialize
except ImportError:  # Airflow 3.1 writes a deferral with another serializer
    from airflow.serialization.serialized_objects import BaseSerialization

    deserialize, serialize = BaseSerialization.deserialize, BaseSerialization.serialize  # type: ignore[assignment]

try:
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # Airflow 3.1
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization  # type: ignore[assignment, attr-defined]

__all__ = [
    "DagSerialization",
    "ProvidersManagerTaskRuntime",
    "deserialize",
    "needs_awaitable_masking",
    "needs_provider_commands",
    "needs_retry_policy",
    "needs_task_state_store",
    "serialize",
]


def _needs(there: bool, what: str, since: str = "3.3") -> pytest.MarkDecorator:
    return pytest.mark.skipif(not there, reason=f"this Airflow has no {what} ({since} and later have)")


needs_task_state_store = _needs("task_state_store" in Context.__annotations__, "task state store")
needs_retry_policy = _needs(hasattr(airflow.sdk, "RetryPolicy"), "retry policies")
# Before it, Airflow itself masks a connection's secrets on the loop that asked for them.
needs_awaitable_masking = _needs(hasattr(airflow.sdk.log, "amask_secret"), "amask_secret")
needs_provider_commands = _needs(hasattr(ProvidersManager, "cli_command_functions"), "commands of providers", "3.2")
