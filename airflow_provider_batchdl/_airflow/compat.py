"""Differences between Airflow's versions, and its private parts: no other module depends on these."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import XComArg
from airflow.sdk.bases.decorator import _TaskDecorator as TaskDecoratorBase

try:
    from airflow.sdk.bases.decorator import determine_kwargs
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )
except ImportError:  # Airflow 3.1
    from airflow.exceptions import (  # type: ignore[attr-defined,no-redef]
        AirflowException,
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )
    from airflow.utils.operator_helpers import determine_kwargs  # type: ignore[attr-defined]

try:
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError:  # before Airflow 3.3
    RetryDecision = RetryPolicy = object  # type: ignore[assignment,misc]
# Makes the decision to run a task again without using a retry; None before Airflow 3.4.
reschedule_decision: Callable[..., RetryDecision] | None = getattr(RetryDecision, "reschedule", None)
TASK_INSTANCE_IDS = ("dag_id", "run_id", "task_id", "map_index")

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.plugins_manager import AirflowPlugin

# Imported here for all others.
__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "RetryPolicy",
    "TaskDecoratorBase",
    "determine_kwargs",
]


@cache
def airflow_version() -> str:
    """Airflow's version, like ``3.3.2``."""
    from airflow import __version__

    return str(__version__)


def _is_since(*release: int) -> bool:
    """True for this release of Airflow, its pre-releases, and later ones."""
    from packaging.version import Version

    return Version(airflow_version()).release >= release


def default_deferrable() -> bool:
    """The setting ``[operators] default_deferrable``."""
    return bool(_configuration().getboolean("operators", "default_deferrable", fallback=False))


def is_ui_enabled() -> bool:
    """The setting ``[batchdl] ui``: whether there is a page "Batch jobs" in Airflow's UI, on unless set to False."""
    return bool(_configuration().getboolean("batchdl", "ui", fallback=True))


def is_testing_enabled() -> bool:
    """The setting ``[core] test_connection``: whether the UI may test connections, off by default."""
    return str(_configuration().get("core", "test_connection", fallback="")).strip().lower() == "enabled"


def ui_path(path: str) -> str:
    """``path`` below that of ``[api] base_url``, where Airflow's UI is."""
    base = _configuration().get("api", "base_url", fallback=None) or "/"
    return urlsplit(str(base)).path.rstrip("/") + path


def ui_origin() -> str | None:
    """Scheme and host of ``[api] base_url``; None where it is not set."""
    base = urlsplit(str(_configuration().get("api", "base_url", fallback=None) or ""))
    return f"{base.scheme}://{base.netloc}" if base.netloc else None


def _configuration() -> Any:
    try:
        from airflow.sdk import conf
    except ImportError:  # Airflow 3.1
        from airflow.configuration import conf  # type: ignore[assignment]
    return conf


def stats_client() -> Any:
    """Airflow's ``Stats`` client: StatsD, Datadog or OpenTelemetry, as configured."""
    try:
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # Airflow 3.1
        from airflow.stats import Stats  # type: ignore[assignment,unused-ignore]
    return Stats


def plugin_class() -> type[AirflowPlugin]:
    """The base class of a plugin. Costs an import that DAG files do not need."""
    try:
        from airflow.sdk.plugins_manager import AirflowPlugin
    except ImportError:  # Airflow 3.1
        from airflow.plugins_manager import AirflowPlugin  # type: ignore[assignment]
    return AirflowPlugin


def has_provider_commands() -> bool:
    """True if providers can add commands to ``airflow``: Airflow 3.2 and later."""
    from airflow.providers_manager import ProvidersManager

    return hasattr(ProvidersManager, "cli_command_functions")


def has_page_sessions() -> bool:
    """True if a plugin's page learns who the user is, by a cookie: Airflow 3.1.1 and later."""
    return _is_since(3, 1, 1)


def has_scoped_views() -> bool:
    """True if a view of a plugin can be limited to some DAGs and tasks by ``applies_to``: Airflow 3.4 and later.

    Before, it would be a tab of every DAG and every task.
    """
    return _is_since(3, 4)


def accepts_partitions(outlet_event: object) -> bool:
    """True if an asset event can have partitions of its own: Airflow 3.3 and later."""
    return hasattr(outlet_event, "add_partitions")


def accepts_retry_policy(task: BaseOperator) -> bool:
    """True if a task can have a retry policy (Airflow 3.3 and later) and has none yet."""
    return getattr(task, "retry_policy", "none before Airflow 3.3") is None


def is_from_mapped(operator: BaseOperator) -> bool:
    """True if Airflow created the operator for an instance of a mapped task, where it runs."""
    return bool(getattr(operator, "_BaseOperator__from_mapped", False))


def default_arguments(partial: Any, kind: type) -> dict[str, Any]:
    """The ``default_args`` of DAG and task group that a mapped task takes, which Airflow adds where it runs."""
    taken = _init_arguments(kind)
    sources = (getattr(partial.kwargs.get(name), "default_args", None) or {} for name in ("dag", "task_group"))
    return {name: value for each in sources for name, value in each.items() if name in taken}


@cache
def _init_arguments(kind: type) -> frozenset[str]:
    inits = (vars(each).get("__init__") for each in kind.__mro__)
    return frozenset(name for init in inits if inspect.isfunction(init) for name in inspect.signature(init).parameters)


def mark_as_mapped(partial: Any) -> None:
    """Suppress Airflow's warning that ``Operator.partial(…)`` was never mapped, after an error that says more."""
    partial._expand_called = True


def mapped_input(group: Any) -> Any:
    """The arguments that a mapped task group is mapped over, as in the DAG."""
    return group._expand_input.value


def mapped_outputs(operator: BaseOperator) -> dict[str, Any]:
    """The arguments of an instance of a mapped task that upstream tasks gave, by name, each as in the DAG."""
    if not is_from_mapped(operator):
        return {}
    mapped: Any = getattr(operator.get_dag(), "task_dict", {}).get(operator.task_id)
    source = getattr(getattr(mapped, "expand_input", None), "value", {})
    if not isinstance(source, Mapping):  # of `expand_kwargs`: what this instance got beside the constants
        given: Mapping[str, Any] = getattr(operator, "_BaseOperator__init_kwargs", {})
        source = dict.fromkeys(given.keys() - mapped.partial_kwargs.keys(), source)
    return {name: value for name, value in source.items() if isinstance(value, XComArg)}


def mapped_values(argument: Any) -> Any:
    """The values that an argument of a mapped task group stands for, as in the DAG; None for any other argument."""
    values, key = getattr(getattr(argument, "_input", None), "value", None), getattr(argument, "_key", None)
    if isinstance(values, Mapping):
        return values.get(key)
    members = values if isinstance(values, list | tuple) else ()
    return [member[key] for member in members if isinstance(member, Mapping) and key in member] or None


def stores_in_use() -> Iterable[Any]:
    """Object stores that were attached to Airflow in this process, or used through it."""
    from airflow.sdk.io import store

    stores: Mapping[str, Any] = getattr(store, "_STORE_CACHE", {})
    return stores.values()


def timetable_attribute(timetable: Any, name: str) -> Any:
    """An attribute of a timetable, None without one; the scheduler's timetables have it with a leading underscore."""
    return getattr(timetable, name, None) or getattr(timetable, f"_{name}", None)


def task_state(ti: Any) -> str | None:
    """Current state of a task instance; None if it is gone. Blocks."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    map_index = -1 if ti.map_index is None else ti.map_index
    states: Mapping[str, Any] = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=map_index
    )
    # A mapped task's instance goes by another name in the answer.
    name = ti.task_id if map_index < 0 else f"{ti.task_id}_{map_index}"
    state = states.get(ti.run_id, {}).get(name)
    return None if state is None else str(getattr(state, "value", state))


@cache
def supervisor_allows_threads() -> bool:
    """True if several threads can send requests to Airflow's supervisor at once: Airflow 3.2.2 and later.

    Before, responses get mixed up, and a triggerer crashes with "Response read out of order!"
    (https://github.com/apache/airflow/issues/64620). There, all requests are sent on the event loop.
    """
    return _is_since(3, 2, 2)


async def send_secret_to_supervisor(secret: str) -> None:
    """Make a triggerer's supervisor mask a secret, too, without blocking the event loop."""
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import MaskSecret

    comms: Any = getattr(task_runner, "SUPERVISOR_COMMS", None)
    # Other supervisors get it from `mask_secret`; only a triggerer's cannot be waited for on the loop.
    if type(comms).__name__ == "TriggerCommsDecoder":
        await comms.asend(MaskSecret(value=secret))


async def push_from_triggerer(task_instance: Any, key: str, value: Any) -> None:
    """Push an XCom of a deferred task, where this is a triggerer, without blocking the event loop.

    Not before Airflow 3.2.2: a request to its supervisor that is interrupted there mixes up the answers to others.
    """
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import SetXCom

    comms: Any = getattr(task_runner, "SUPERVISOR_COMMS", None)
    if type(comms).__name__ == "TriggerCommsDecoder" and supervisor_allows_threads():
        place = {name: getattr(task_instance, name) for name in TASK_INSTANCE_IDS}
        await comms.asend(SetXCom(key=key, value=value, **place))
