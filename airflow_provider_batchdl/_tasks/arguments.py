"""Checks of the arguments of operators, sensor, triggers and task group when the DAG is parsed.

An argument means the same wherever it is taken, and `CHECKS` has its check. What Airflow renders (`TEMPLATED`) is
checked as far as it has no template in it, and again by the task before it submits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

from airflow.sdk import BaseOperator, XComArg
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.definitions.mappedoperator import OperatorPartial

from airflow_provider_batchdl._airflow.compat import (
    default_arguments,
    is_from_mapped,
    mapped_outputs,
    mapped_values,
    mark_as_mapped,
)
from airflow_provider_batchdl._airflow.fail_fast import fail_fast
from airflow_provider_batchdl._redaction.redactor import redact_value
from airflow_provider_batchdl._redaction.secret_places import signatures
from airflow_provider_batchdl._tasks.assets import refuse_unusable_partitions, written_partitions
from airflow_provider_batchdl._values.arguments import (
    PLAIN_CHECKS,
    Check,
    choice,
    is_placeholder,
    is_xcom_arg,
    refuse_crossed,
    text,
    unless_none,
)
from airflow_provider_batchdl._values.inputs import (
    is_path,
    parse_conn_id,
    parse_file,
    parse_job_id,
    parse_request,
    refuse_half_a_template,
    refuse_lost,
    refuse_unsendable,
)
from airflow_provider_batchdl._values.storable import texts
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidArgumentError
from airflow_provider_batchdl.hooks._account import mask
from airflow_provider_batchdl.options import NAMES, DownloadOptions

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context
    from airflow.sdk.definitions.mappedoperator import MappedOperator

FailOrResubmit: TypeAlias = Literal["fail", "resubmit"]

TEMPLATED = frozenset({"conn_id", "job_id", "request", "file", "destination", "partition_key"})
_DELIMITERS = {"variable_start_string": "{{", "block_start_string": "{%", "comment_start_string": "{#"}


def _option(name: str, value: Any) -> Any:
    return getattr(DownloadOptions(**{name: value}), name)


def _destination(name: str, value: Any) -> Any:
    """Check of a destination. Whether a path object is a folder is not checked: that may take a request."""
    if isinstance(value, str) or hasattr(value, "joinpath"):
        from airflow_provider_batchdl.hooks._storage import check_written

        return _as_argument(check_written, value)
    return text(name, value)


def _partition_key(name: str, value: Any) -> Any:
    keys = [key for key in written_partitions(value) if not is_placeholder(key)]
    return _as_argument(refuse_unusable_partitions, value, keys)


def _read(reader: Callable[[Any], object], name: str, value: Any) -> Any:
    """Check of a templated argument. Only a path object becomes text."""
    _as_argument(reader, value)
    return str(value) if is_path(value) else value


def _as_argument(check: Callable[..., object], value: Any, *arguments: Any) -> Any:
    try:
        check(*(arguments or (value,)))
    except BatchDlError as error:
        raise InvalidArgumentError(error.message, remedy=error.remedy) from None
    return value


CHECKS: Mapping[str, Check] = {
    **PLAIN_CHECKS,
    "job_id": partial(_read, parse_job_id),
    "request": partial(_read, parse_request),
    "file": partial(_read, parse_file),
    "destination": unless_none(_destination),
    "partition_key": unless_none(_partition_key),
    "on_uncertain_submit": partial(choice, allowed=get_args(FailOrResubmit)),
    "on_changed_input": partial(choice, allowed=get_args(FailOrResubmit)),
    **dict.fromkeys(NAMES, _option),
}


def checked(name: str, value: Any, checks: Mapping[str, Check] = CHECKS, *, dag: DAG | None = None) -> Any:
    """Check an argument; return it with spans of time in seconds."""
    _as_argument(refuse_unsendable, value, name, value)
    if name in ("destination", "file"):
        _as_argument(refuse_half_a_template, value, name, value)
    if name in TEMPLATED:
        _refuse_unpushed(name, value)
        if (values := mapped_values(value)) is not None:
            _check_mapped(name, values, checks, dag)
    settings = getattr(dag, "jinja_environment_kwargs", None) or {}
    marks = [settings.get(mark, usual) for mark, usual in _DELIMITERS.items()]
    if name in TEMPLATED and (callable(value) or is_placeholder(value, marks)):
        if name == "destination" and not is_xcom_arg(value):
            from airflow_provider_batchdl.transfer.destination_text import refuse_credentials

            _as_argument(refuse_credentials, value, str(value))
        return _path_as_text(name, value)
    return checks[name](name, value)


def _path_as_text(name: str, value: Any) -> Any:
    """A path object as text: Airflow renders no template in it, but for its own, ``ObjectStoragePath``."""
    if not is_path(value) or hasattr(value, "storage_options"):
        return value
    if name != "destination":
        return str(value)
    from airflow_provider_batchdl.hooks._storage import text_of

    _as_argument(text_of, value)
    return text_of(value)


def _refuse_unpushed(name: str, value: Any) -> None:
    """Refuse the output of a task that pushes none: it would be None when that task has run, and paid for a job."""
    for task, key in XComArg.iter_xcom_references(value):
        if key == BaseXCom.XCOM_RETURN_KEY and getattr(task, "do_xcom_push", True) is False:
            raise InvalidArgumentError(
                f"{name} is the output of task {task.task_id!r}, which has do_xcom_push=False, and so none.",
                remedy=f"Leave do_xcom_push out of {task.task_id!r}; see default_args, too.",
            )


class ChecksArguments(BaseOperator):
    """Operator that checks its arguments when the DAG is parsed, also those of mapped tasks.

    Airflow creates the operator of ``partial(…)`` and ``expand(…)`` only when the task runs.
    """

    argument_checks: ClassVar[Mapping[str, Check]] = CHECKS
    vendor_url: str | None = None
    """What the extra link leads to, once it is known."""
    _written: Mapping[str, Any] = MappingProxyType({})
    """Arguments as the author of the DAG wrote them, once they are rendered."""
    _rendered: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def partial(cls, **arguments: Any) -> OperatorPartial:
        """As ``BaseOperator.partial``, with the constant arguments checked."""
        made = super().partial(**arguments)
        with _refusing_to_map(made):
            cls.check_partial({"dag": made.kwargs.get("dag"), **arguments})
            cls._check(default_arguments(made, cls), made.kwargs.get("dag"))
        made.__class__ = _CheckedPartial
        return made

    @classmethod
    def check_partial(cls, constants: Mapping[str, Any]) -> None:
        """Check the arguments that all instances of a mapped task have."""
        cls._check(constants, constants.get("dag"))

    @classmethod
    def check_mapped(cls, mapped: Mapping[str, Any] | Sequence[Any], constants: Mapping[str, Any]) -> None:
        """Check the values that a task is mapped over, as far as they are literals in the DAG."""
        dag = constants.get("dag")
        if isinstance(mapped, Mapping):
            for name in mapped.keys() & cls.argument_checks.keys():
                _check_mapped(name, mapped[name], cls.argument_checks, dag)
            return
        for member in (each for each in mapped if isinstance(each, Mapping)):
            cls._check(member, dag)

    @classmethod
    def _check(cls, given: Mapping[str, Any], dag: DAG | None) -> None:
        names = given.keys() & cls.argument_checks.keys()
        refuse_crossed({name: checked(name, given[name], cls.argument_checks, dag=dag) for name in names})

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> None:
        """Render as Airflow does; leave the arguments redacted until :meth:`pre_execute`.

        In between, Airflow copies them into its database for the view of rendered templates. Before 3.3 it redacts them
        in a process that does not know the task's secrets. With half a character it would fail, and not say why.
        """
        if parent is self:
            self._written = {field: getattr(self, field) for field in template_fields} | mapped_outputs(self)
        super()._do_render_template_fields(parent, template_fields, *args, **kwargs)
        if parent is not self:
            return
        self._rendered = {field: getattr(self, field) for field in template_fields}
        with fail_fast():
            for field, value in self._rendered.items():
                refuse_unsendable(field, value)
        mask_signatures(self._rendered)
        for field, value in self._rendered.items():
            setattr(self, field, redact_value(value))

    def pre_execute(self, context: Context) -> None:
        """Restore the rendered arguments, then run the DAG author's own ``pre_execute``.

        A connection's id becomes text again: native rendering may have made a number of it.
        """
        for field, value in self._rendered.items():
            setattr(self, field, value)
        self._rendered = {}
        with fail_fast():
            self.conn_id: str = parse_conn_id(self.conn_id)
        super().pre_execute(context)

    def _refuse_lost(self, *names: str) -> None:
        """Refuse arguments that were rendered to nothing; see `refuse_lost`."""
        for name in names:
            refuse_lost(name, self._written.get(name), getattr(self, name))

    def _checked(self, name: str, value: Any) -> Any:
        with self._refusing():
            return checked(name, value, self.argument_checks, dag=self.get_dag())

    def _refusing(self) -> AbstractContextManager[None]:
        """Context of the checks in ``__init__``: a mapped task, created where it runs, fails without a retry."""
        return fail_fast() if is_from_mapped(self) else nullcontext()


class _CheckedPartial(OperatorPartial):
    """``OperatorPartial`` that checks the values that a task is mapped over, as far as they are literals."""

    __slots__ = ()

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """As ``OperatorPartial.expand``, with the literal values checked."""
        self._check(mapped_kwargs)
        return super().expand(**mapped_kwargs)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """As ``OperatorPartial.expand_kwargs``, with the literal values checked."""
        if isinstance(kwargs, list | tuple):
            self._check(kwargs)
        return super().expand_kwargs(kwargs, strict=strict)

    def _check(self, mapped: Mapping[str, Any] | Sequence[Any]) -> None:
        with _refusing_to_map(self):
            kind: Any = self.operator_class  # of `ChecksArguments`
            kind.check_mapped(mapped, {**default_arguments(self, kind), **self.kwargs})


@contextmanager
def _refusing_to_map(partial: OperatorPartial) -> Iterator[None]:
    try:
        yield
    except ValueError:
        mark_as_mapped(partial)
        raise


def mask_signatures(value: Any) -> None:
    """Have the signatures of all URLs in ``value`` masked, here and in Airflow."""
    mask(*(signature for text in texts(value) for signature in signatures(text)))


def _check_mapped(name: str, values: Any, checks: Mapping[str, Check], dag: DAG | None) -> None:
    _refuse_unpushed(name, values)
    if isinstance(values, Mapping):
        raise InvalidArgumentError(
            f"{name} is mapped over a dict, which makes a task of each pair of a name and a value.",
            remedy=f"Map it over a list: .expand({name}=[…]).",
        )
    for value in values if isinstance(values, list | tuple) else ():
        checked(name, value, checks, dag=dag)
