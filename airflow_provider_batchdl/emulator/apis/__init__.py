"""The emulated APIs, one module per vendor and surface."""

from __future__ import annotations

from airflow_provider_batchdl.emulator.apis import (
    apartmentiq_accounts,
    openai_files,
    proofy_files,
    revenuebase_v1,
    revenuebase_v2,
)
from airflow_provider_batchdl.emulator.apis.apartmentiq import ApartmentIQ
from airflow_provider_batchdl.emulator.apis.batchcom import BatchCom
from airflow_provider_batchdl.emulator.apis.neverbounce import NeverBounce
from airflow_provider_batchdl.emulator.apis.openai import OpenAIBatch
from airflow_provider_batchdl.emulator.apis.proofy import Proofy
from airflow_provider_batchdl.emulator.apis.revenuebase import Revenuebase
from airflow_provider_batchdl.emulator.apis.salesforce import SalesforceBulkQuery
from airflow_provider_batchdl.emulator.apis.shopify import ShopifyBulk
from airflow_provider_batchdl.emulator.exchange import Api
from airflow_provider_batchdl.emulator.world import World

__all__ = ["all_apis"]


def all_apis(world: World) -> list[Api]:
    """Return all vendors' APIs over one state."""
    return [
        Revenuebase(world, revenuebase_v2.endpoints, revenuebase_v1.endpoints),
        Proofy(world, proofy_files.endpoints),
        BatchCom(world),
        ApartmentIQ(world, apartmentiq_accounts.endpoints),
        OpenAIBatch(world, openai_files.endpoints),
        SalesforceBulkQuery(world),
        ShopifyBulk(world),
        NeverBounce(world),
    ]
