"""Mixin that hides the signatures of URLs in the rendered arguments that Airflow shows and stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import redact_value
from airflow_provider_batchdl._redaction.secret_places import signatures
from airflow_provider_batchdl.hooks._account import mask

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    _Base = BaseOperator
else:
    _Base = object


class HidesSignatures(_Base):
    """Mixin for an operator whose arguments may hold signed URLs; goes before ``BaseOperator``.

    Between rendering and execution, when Airflow copies the arguments into its database for the view of rendered
    templates, they are redacted. Before 3.3, Airflow itself redacts them in a process that does not know the task's
    secrets.
    """

    _rendered: dict[str, Any] | None = None

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> None:
        super()._do_render_template_fields(parent, template_fields, *args, **kwargs)
        if parent is not self:
            return
        self._rendered = {field: getattr(self, field) for field in template_fields}
        mask_signatures(self._rendered)
        for field, value in self._rendered.items():
            setattr(self, field, redact_value(value))

    def pre_execute(self, context: Context) -> None:
        """Restore the rendered arguments, then run the DAG author's own ``pre_execute``."""
        for field, value in (self._rendered or {}).items():
            setattr(self, field, value)
        self._rendered = None
        super().pre_execute(context)


def mask_signatures(value: Any) -> None:
    """Have the signatures of all URLs in ``value`` masked, here and in Airflow."""
    mask(*(signature for text in _texts(value) for signature in signatures(text)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
