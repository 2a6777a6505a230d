"""Network settings from the environment: proxies, exceptions from them, and certificates to trust.

Everything that this package connects by itself reads it here, and so in one way: control calls, OAuth tokens, uploads,
downloads and what they are redirected to. The stores' own libraries (botocore, Google's, Azure's) read their own.
`docs/network.md` has the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from airflow_provider_batchdl.client.environment.certificates import CaBundle, ssl_context
from airflow_provider_batchdl.client.environment.proxies import Proxies, Proxy

__all__ = ["CaBundle", "Proxies", "Proxy", "Route", "route_to", "ssl_context"]


@dataclass(frozen=True)
class Route:
    """The way to one URL. It holds no secret.

    Args:
        proxy: the proxy's URL, its credentials masked; None for straight to the host.
        proxy_variable: the environment variable that names the proxy; None where none names one for this URL.
        no_proxy: the entry of ``NO_PROXY`` by which the URL goes straight although there is a proxy.
        ca_bundle: path of the trusted certificates; empty for a plain ``http`` URL.
        ca_variable: the environment variables that name it; None for the bundle of ``certifi``.
    """

    proxy: str | None = None
    proxy_variable: str | None = None
    no_proxy: str | None = None
    ca_bundle: str = ""
    ca_variable: str | None = None


def route_to(url: str) -> Route:
    """The way that a request to ``url`` takes from this process, as the environment is now.

    Raises:
        WorkerEnvironmentError: a variable is unusable; the message names it.
    """
    proxies = Proxies.from_environment()
    proxy, exception = proxies.proxy_for(url), proxies.exception_for(url)
    https = urlsplit(url).scheme == "https" or (proxy is not None and proxy.scheme == "https")
    bundle = CaBundle.from_environment() if https else None
    return Route(
        proxy=proxy.shown if proxy else None,
        proxy_variable=proxy.variable if proxy else None,
        no_proxy=exception.text if exception else None,
        ca_bundle=bundle.path if bundle else "",
        ca_variable=bundle.variable if bundle else None,
    )
