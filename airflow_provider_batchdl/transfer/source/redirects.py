"""Follow a redirect by hand: the absolute URL of its target, checked."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from airflow_provider_batchdl.client.targets import checked_target

MOST_HOPS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})

_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_DOT_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:/|$)")


def next_hop(current: str, location: str, *, connection_host: str) -> str:
    """The absolute URL of a redirect's target, without a fragment and otherwise unchanged: it may be signed.

    Args:
        current: the URL that answered with the redirect.
        location: its ``Location``, absolute or relative (RFC 9110, section 10.2.2).
        connection_host: the host of the connection, see :func:`checked_target`.

    Raises:
        UnsafeRedirectError: it must not be followed.
    """
    try:
        target = _joined(current, location.partition("#")[0])
    except ValueError:
        target = location  # which is refused
    over_tls = urlsplit(current).scheme == "https"
    return checked_target(target, connection_host=connection_host, over_tls=over_tls, what="redirect")


def _joined(current: str, reference: str) -> str:
    """Resolve ``reference`` against ``current`` (RFC 3986, section 5.2), with the fewest changes.

    ``urljoin`` resolves dot segments in absolute references too, and drops empty segments and an empty query.
    """
    if _ABSOLUTE.match(reference):
        return reference
    current = current.partition("#")[0]
    if not reference:
        return current
    scheme, _, rest = current.partition("?")[0].partition("://")
    authority, slash, path = rest.partition("/")
    if reference.startswith("//"):
        return f"{scheme}:{reference}"
    if reference.startswith("/"):
        return f"{scheme}://{authority}{reference}"
    relative, mark, query = reference.partition("?")
    if _DOT_SEGMENT.search(relative):
        return urljoin(current, relative) + mark + query
    folder = path.rpartition("/")[0]
    path = f"{folder}/{relative}" if relative and folder else relative or path
    return f"{scheme}://{authority}{slash or '/'}{path}{mark}{query}"
