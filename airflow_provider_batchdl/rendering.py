"""What Airflow shows, and stores, of a task's rendered arguments: no signature of a URL in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.hooks.account import mask
from airflow_provider_batchdl.redaction import redact_value
from airflow_provider_batchdl.secret_places import signatures

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    _Base = BaseOperator
else:
    _Base = object


class HidesSignatures(_Base):
    """Mixed into an operator whose arguments may hold signed URLs, ahead of ``BaseOperator``.

    Between rendering and execution, when Airflow takes its arguments for the view of rendered templates and stores
    them in its database, it has redacted ones. Before 3.3 Airflow redacts them where it knows no secret of the task's.
    """

    _rendered: dict[str, Any] | None = None

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> None:
        super()._do_render_template_fields(parent, template_fields, *args, **kwargs)
        if parent is not self:
            return
        self._rendered = {field: getattr(self, field) for field in template_fields}
        mask(*(signature for text in _texts(self._rendered) for signature in signatures(text)))
        for field, value in self._rendered.items():
            setattr(self, field, redact_value(value))

    def pre_execute(self, context: Context) -> None:
        """Give the arguments back as they were rendered, then do what the DAG's author asks for."""
        for field, value in (self._rendered or {}).items():
            setattr(self, field, value)
        self._rendered = None
        super().pre_execute(context)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
