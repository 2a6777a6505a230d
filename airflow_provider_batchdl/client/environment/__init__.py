"""Network settings from the environment: proxies, exceptions from them, and certificates to trust.

Everything that this package connects by itself reads it here, and so in one way: control calls, OAuth tokens, uploads,
downloads and what they are redirected to. The stores' own libraries (botocore, Google's, Azure's) read their own.
`docs/network.md` has the table.
"""

from __future__ import annotations

from airflow_provider_batchdl.client.environment.certificates import CaBundle, ssl_context
from airflow_provider_batchdl.client.environment.proxies import Proxies, Proxy
from airflow_provider_batchdl.client.environment.route import Route, route_to

__all__ = ["CaBundle", "Proxies", "Proxy", "Route", "route_to", "ssl_context"]
