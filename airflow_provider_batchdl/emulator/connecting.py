"""Where each vendor's API is, and the Airflow connection to it."""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl.emulator.accounts import Credentials
from airflow_provider_batchdl.emulator.states import BUILT_IN

BASE_PATHS = {
    "revenuebase": "/revenuebase",
    "proofy": "/proofy/v1",
    "batchcom": "/batchcom",
    "apartmentiq": "/apartmentiq/api/v1",
    "openai_batch": "/openai_batch",
    "salesforce_bulk_query": "/salesforce_bulk_query/my-domain",
    "shopify_bulk": "/shopify_bulk",
    "neverbounce": "/neverbounce",
}
"""Where each vendor's API lives under the emulator's origin."""


def airflow_connection(vendor: str, url: str, account: Credentials, poll_interval: float | None) -> dict[str, Any]:
    """Return a connection's fields, with the extra as an object.

    Args:
        vendor: vendor name; one of the catalogue is reached by the connection type ``batchapi``.
        url: the API's base URL.
        account: credentials.
        poll_interval: seconds between polls of a job; ``None`` is the vendor's own.
    """
    built_in = vendor in BUILT_IN
    extra = {**account.extra, **({"poll_interval": poll_interval} if poll_interval else {})}
    return {
        "conn_type": vendor if built_in else "batchapi",
        "host": url,
        "login": account.login,
        "password": account.password,
        "port": 0,  # or the Test button of Airflow 3.3 fails: https://github.com/apache/airflow/issues/73298
        "extra": extra if built_in else {**extra, "vendor": vendor},
    }
