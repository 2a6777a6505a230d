"""Hook of ApartmentIQ."""

from __future__ import annotations

from airflow_provider_batchdl.hooks.base import BatchApiHook

__all__ = ["ApartmentIQHook"]


class ApartmentIQHook(BatchApiHook):
    """Hook of ApartmentIQ, for connections of type ``apartmentiq``; see :class:`BatchApiHook` for its methods."""

    default_conn_name = "apartmentiq_default"
    conn_type = "apartmentiq"
    hook_name = "ApartmentIQ"
