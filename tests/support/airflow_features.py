"""What the Airflow at hand lacks: marks for the tests of it, and stand-ins where only the name differs."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from inspect import getsource, signature

import airflow
import airflow.sdk
import airflow.sdk.log
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk.api.client import Client
from airflow.sdk.definitions.context import Context
from airflow.sdk.execution_time import context, task_runner
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor
from packaging.version import Version

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
    "BUTTON_NEEDS_A_PORT",
    "MASKS_ON_THE_LOOP",
    "SUPERVISOR_BEARS_THREADS",
    "SUPERVISOR_TAKES_A_CLIENT",
    "DagSerialization",
    "ProvidersManagerTaskRuntime",
    "deserialize",
    "http",
    "lacks_task_state_store",
    "needs_any_extra",
    "needs_arns",
    "needs_asset_partitions",
    "needs_asset_state_store",
    "needs_masked_fields",
    "needs_page_sessions",
    "needs_provider_commands",
    "needs_retry_policy",
    "needs_shared_streams",
    "needs_task_spans",
    "needs_task_state_store",
    "serialize",
]

# The HTTP library that Airflow's own client is made of: httpx, and httpx2 from 3.4 on, alike in what is used here.
http = import_module(Client.__mro__[1].__module__.partition(".")[0])
# 3.3 and later.
SUPERVISOR_TAKES_A_CLIENT = "client" in signature(InProcessTestSupervisor.start).parameters
# https://github.com/apache/airflow/issues/64620
SUPERVISOR_BEARS_THREADS = Version(airflow.__version__) >= Version("3.2.2")
# https://github.com/apache/airflow/issues/73298, from 3.3.1 until 3.4
BUTTON_NEEDS_A_PORT = Version("3.3.1") <= Version(airflow.__version__) < Version("3.4.0b1")
# Before 3.3 Airflow itself masks a connection's secrets so.
MASKS_ON_THE_LOOP = not hasattr(airflow.sdk.log, "amask_secret")


def _needs(there: bool, what: str, since: str = "3.3") -> pytest.MarkDecorator:
    return pytest.mark.skipif(not there, reason=f"this Airflow has no {what} ({since} and later have)")


_HAS_STORE = "task_state_store" in Context.__annotations__
needs_task_state_store = _needs(_HAS_STORE, "task state store")
lacks_task_state_store = pytest.mark.skipif(_HAS_STORE, reason="what older Airflows do, without a task state store")
needs_retry_policy = _needs(hasattr(airflow.sdk, "RetryPolicy"), "retry policies")
needs_asset_partitions = _needs(
    hasattr(context.OutletEventAccessor, "add_partitions"), "partitions of one's own for events"
)
needs_asset_state_store = _needs(hasattr(context, "AssetStateStoreAccessors"), "asset state store")
# https://github.com/apache/airflow/pull/58767
needs_masked_fields = _needs("redact(" in getsource(task_runner), "masking of rendered fields in a task", "3.1.4")
# Before, Airflow's UI kept its token from cookies.
needs_page_sessions = _needs(Version(airflow.__version__) >= Version("3.1.1"), "session of plugins' pages", "3.1.1")
needs_shared_streams = _needs(find_spec("airflow.triggers.shared_stream") is not None, "streams that watchers share")
# Airflow 3.1 asks for a universal-pathlib that takes what follows a colon for a port.
needs_arns = _needs(Version(version("universal-pathlib")) >= Version("0.3"), "ARN for a bucket", "3.2")
needs_any_extra = _needs(Version(airflow.__version__) >= Version("3.2"), "connection whose extra is no object", "3.2")
needs_provider_commands = _needs(hasattr(ProvidersManager, "cli_command_functions"), "commands of providers", "3.2")
needs_task_spans = _needs(find_spec("airflow.sdk._shared.observability") is not None, "spans of tasks", "3.2")
