"""The emulated APIs, one module per vendor, and others with what it makes of requests."""

from __future__ import annotations

from airflow_provider_batchdl.emulator.apis.apartmentiq import ApartmentIQ
from airflow_provider_batchdl.emulator.apis.batchcom import BatchCom
from airflow_provider_batchdl.emulator.apis.neverbounce import NeverBounce
from airflow_provider_batchdl.emulator.apis.openai import OpenAIBatch
from airflow_provider_batchdl.emulator.apis.proofy import Proofy
from airflow_provider_batchdl.emulator.apis.revenuebase_people import WholeRevenuebase
from airflow_provider_batchdl.emulator.apis.salesforce import SalesforceBulkQuery
from airflow_provider_batchdl.emulator.apis.shopify import ShopifyBulk
from airflow_provider_batchdl.emulator.exchange import Api
from airflow_provider_batchdl.emulator.world import World

__all__ = ["all_apis"]

_APIS: tuple[type[Api], ...] = (
    WholeRevenuebase, Proofy, BatchCom, ApartmentIQ, OpenAIBatch, SalesforceBulkQuery, ShopifyBulk, NeverBounce,
)  # fmt: skip


def all_apis(world: World) -> list[Api]:
    """Return all vendors' APIs over one state."""
    return [api(world) for api in _APIS]
