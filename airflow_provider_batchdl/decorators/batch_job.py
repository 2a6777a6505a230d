"""The decorator ``@task.batch_job``: a function returns the request, and the task does the rest."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from airflow_provider_batchdl._airflow.compat import TaskDecoratorBase, determine_kwargs, mark_as_mapped
from airflow_provider_batchdl._airflow.fail_fast import fail_fast
from airflow_provider_batchdl._redaction.redactor import redact_value
from airflow_provider_batchdl._tasks.arguments import mask_signatures
from airflow_provider_batchdl._values.inputs import is_path, kind_of, parse_file, parse_request, refuse_unsendable
from airflow_provider_batchdl.exceptions import InvalidArgumentError, InvalidRequestError
from airflow_provider_batchdl.operators.run import BatchJobOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from airflow.sdk.bases.decorator import TaskDecorator

__all__ = ["batch_job_task"]

_NO_RESULT = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)


class _BatchJobDecoratedOperator(DecoratedOperator, BatchJobOperator):
    """``BatchJobOperator`` whose request, or file, a function returns.

    The function is called once in each try, before the submit, and not when a deferred task resumes. What it returns is
    not rendered: it may hold other people's data, and the function has the task's context.
    """

    __supports_durable_execution: ClassVar[bool] = True

    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *BatchJobOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **BatchJobOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.batch_job"
    overwrite_rtif_after_execution = False  # until they are redacted

    def execute(self, context: Context) -> Any:
        """Call the function, check what it returned, and do what ``BatchJobOperator`` does.

        Raises:
            BatchTaskFailedError: the function returned neither a request nor a file, or another error that no retry can
                fix; its cause is the typed one.
        """
        arguments = determine_kwargs(self.python_callable, self.op_args, {**context, **self.op_kwargs})
        returned = self.python_callable(*self.op_args, **arguments)
        with fail_fast(task=self, context=context):
            self._take(returned)
        try:
            return super().execute(context)
        finally:
            self._show()

    def _take(self, returned: Any) -> None:
        """Make the task's request, or file, of what the function returned."""
        if not isinstance(returned, Mapping) and not is_path(returned):
            raise _refusal(returned)
        name = "file" if is_path(returned) else "request"
        if getattr(self, name) is not None:
            raise InvalidRequestError(
                f"The function returned the {name}, and the decorator has another.", remedy=f"Leave {name}=… out."
            )
        refuse_unsendable(name, returned)
        parsed = parse_file(returned) if name == "file" else parse_request(returned)
        mask_signatures(parsed)
        setattr(self, name, parsed)

    def _show(self) -> None:
        """Show what was submitted among the rendered arguments, redacted as these are."""
        for field in self.template_fields:
            setattr(self, field, redact_value(getattr(self, field)))
        self.overwrite_rtif_after_execution = True


class _CheckedTaskDecorator(TaskDecoratorBase[Any, Any, Any]):
    """Airflow's object for a decorated function, which checks the constant arguments of a mapped task, too."""

    def expand(self, **map_kwargs: Any) -> XComArg:
        """Map the function, with the decorator's arguments checked."""
        self._check_constants()
        return super().expand(**map_kwargs)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> XComArg:
        """Map the function, with the decorator's arguments checked."""
        self._check_constants()
        return super().expand_kwargs(kwargs, strict=strict)

    def _check_constants(self) -> None:
        """Check them as those of ``BatchJobOperator.partial``. Airflow makes the operator where the task runs."""
        mark_as_mapped(self.operator_class.partial(python_callable=self.function, **self.kwargs))


def batch_job_task(
    python_callable: Callable[..., Any] | None = None, *, multiple_outputs: bool | None = None, **kwargs: Any
) -> TaskDecorator:
    """Make a task of a function that returns a batch job's request: ``@task.batch_job``.

    The task submits, waits and lands as ``BatchJobOperator``, with its arguments and promises. The function returns the
    request, a dict; or the file, a path object. The other one may be an argument of the decorator.

    Args:
        python_callable: the function.
        multiple_outputs: push each member of the landing as an XCom of its own; only with a ``destination``. The
            function's annotations do not count: what it returns is the request, and not the task's output.
        kwargs: the arguments of ``BatchJobOperator``.

    Raises:
        InvalidArgumentError: the function is asynchronous or a generator.
    """

    def decorate(function: Callable[..., Any]) -> TaskDecorator:
        if any(is_such(function) for is_such in _NO_RESULT):
            raise InvalidArgumentError(
                f"The function {function.__name__!r} is asynchronous or a generator.",
                remedy="Write it as a plain function that returns the request.",
            )
        made: Any = task_decorator_factory(
            function,
            multiple_outputs=bool(multiple_outputs),
            decorated_operator_class=_BatchJobDecoratedOperator,
            **kwargs,
        )
        made.__class__ = _CheckedTaskDecorator
        decorator: TaskDecorator = made
        return decorator

    return decorate if python_callable is None else decorate(python_callable)  # type: ignore[return-value]


def _refusal(returned: Any) -> InvalidRequestError:
    """The error for what is neither a request nor a file; without its content, which may be people's addresses."""
    if returned is None:
        what, remedy = "None", "Return the request, a dict; {} where all that the vendor takes has a default."
    elif isinstance(returned, str):
        what, remedy = "a text", "Return a request as the dict itself, and a file as pathlib.Path or ObjectStoragePath."
    else:
        what = f"a value {kind_of(returned)}"
        remedy = "Return one request, a dict. For several, map the function: each mapped task submits one."
    return InvalidRequestError(f"The function returned {what}, and a request is a dict.", remedy=remedy)
