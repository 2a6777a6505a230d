"""The emulated APIs, one module per vendor and surface."""

from __future__ import annotations

from airflow_provider_batchdl.emulator.apis.apartmentiq import ApartmentIQ
from airflow_provider_batchdl.emulator.apis.batchcom import BatchCom
from airflow_provider_batchdl.emulator.apis.proofy import Proofy
from airflow_provider_batchdl.emulator.apis.revenuebase import Revenuebase
from airflow_provider_batchdl.emulator.exchange import Api
from airflow_provider_batchdl.emulator.world import World


def all_apis(world: World) -> list[Api]:
    """Return the four vendors' APIs over one state."""
    return [Revenuebase(world), Proofy(world), BatchCom(world), ApartmentIQ(world)]
