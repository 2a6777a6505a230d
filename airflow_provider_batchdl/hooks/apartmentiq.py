"""The ApartmentIQ hook."""

from __future__ import annotations

from airflow_provider_batchdl.hooks.base import BatchApiHook


class ApartmentIQHook(BatchApiHook):
    """ApartmentIQ, through a connection of type ``apartmentiq``; see :class:`BatchApiHook` for what it does."""

    default_conn_name = "apartmentiq_default"
    conn_type = "apartmentiq"
    hook_name = "ApartmentIQ"


HOOK = ApartmentIQHook
