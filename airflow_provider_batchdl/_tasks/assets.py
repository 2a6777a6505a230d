"""Asset events: the landed result as their extra, and their partitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from airflow_provider_batchdl._airflow.compat import accepts_partitions
from airflow_provider_batchdl._redaction.redactor import excerpt, get_logger
from airflow_provider_batchdl._values.storable import is_storable_text, storable, storable_text
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.jobs import RESULT

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.jobs import Landing

log = get_logger(__name__)

# Characters; the width of the column in Airflow's database.
LONGEST_PARTITION_KEY = 250


def emit_asset_events(context: Context, outlets: Iterable[Any], landing: Landing, destination: str) -> None:
    """Set the landing as the extra of the task's asset events.

    The event of an `Asset` has it. To an `AssetAlias`, the result is added as an asset: a single file under its
    own URI, several under the destination's, none for an empty result.
    """
    from airflow.sdk import Asset, AssetAlias

    events: Any = context["outlet_events"]
    extra = extra_of(landing)
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            if not landing.results:
                continue  # nothing is there that could be an asset
            place = landing.results[0].uri if len(landing.results) == 1 else destination
            try:
                asset = Asset(asset_uri(place))
            except ValueError as error:  # too long for Airflow's database, for example; the files have landed
                log.warning("Cannot create an asset for %s: %s", place, error)
            else:
                events[outlet].add(asset, extra=extra)
        elif isinstance(outlet, Asset):
            events[outlet].extra.update(extra)


def checked_partitions(context: Context, outlets: Iterable[Any], keys: Any) -> list[str]:
    """Check an operator's rendered ``partition_key`` before a job is paid for; return it as a list."""
    if keys is None:
        return []
    found = written_partitions(keys)
    refuse_unusable_partitions(found)
    assets = assets_of(outlets)
    if not assets:
        raise InvalidRequestError(
            "The task has a partition_key and no Asset among its outlets.",
            remedy="Add an Asset to the outlets; the event of an AssetAlias always has the partition of the run.",
        )
    if not accepts_partitions(cast("Any", context)["outlet_events"][assets[0]]):
        raise InvalidRequestError(
            "partition_key needs Airflow 3.3.",
            remedy="Leave it out; from Airflow 3.2 on, events have the partition of the run without it.",
        )
    return found


def refuse_unusable_partitions(keys: Iterable[Any]) -> None:
    """Refuse keys that Airflow does not accept as the key of a partition."""
    for key in keys:
        sound = isinstance(key, str) and key.strip() and len(key) <= LONGEST_PARTITION_KEY and is_storable_text(key)
        if not sound:
            raise InvalidRequestError(
                f"The partition_key {excerpt(key, 40)!r} is not a text of 1 to {LONGEST_PARTITION_KEY} characters.",
                remedy="Check the rendered template; leave partition_key out for the partition of the run itself.",
            )


def written_partitions(keys: Any) -> list[Any]:
    """One key or several as a list; whole numbers and dates as text, anything else unchanged."""
    several = keys if isinstance(keys, Sequence) and not isinstance(keys, str | bytes) else [keys]
    return [_written(key) for key in several]


def _written(key: Any) -> Any:
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    return key.isoformat() if isinstance(key, date) and not isinstance(key, datetime) else key


def add_partitions(context: Context, outlets: Iterable[Any], keys: Sequence[str]) -> None:
    """Emit one asset event for each partition, instead of one for the partition of the run."""
    events: Any = context["outlet_events"]
    for asset in assets_of(outlets) if keys else ():
        events[asset].add_partitions(list(keys))


def assets_of(declared: Iterable[Any]) -> list[Any]:
    """The ``Asset`` objects among a task's inlets or outlets; only these have a URI, and partitions."""
    from airflow.sdk import Asset

    return [each for each in declared if isinstance(each, Asset)]


def extra_of(landing: Landing) -> dict[str, Any]:
    """The extra of an asset event, as plain JSON: ``rows`` and ``sha256`` only if all results have them."""
    digests = [file.sha256 for file in landing.results]
    extra: dict[str, Any] = {
        "vendor": landing.vendor,
        "job_id": landing.job_id,
        "uris": [file.uri for file in landing.results],
        "bytes": sum(file.bytes for file in landing.results),
    }
    for file in landing.files:
        if file.kind != RESULT:
            extra.setdefault("others", {}).setdefault(file.kind, []).append(file.uri)
    if landing.rows is not None:
        extra["rows"] = landing.rows
    if None not in digests:
        extra["sha256"] = digests
    return storable(extra)  # type: ignore[no-any-return]


def asset_uri(place: str) -> str:
    """The URI of an asset (AIP-60): its place, without the id of a connection."""
    place = storable_text(place)
    # Plain characters in a key; in an asset's URI, Airflow would drop a fragment and sort a query.
    return bare_uri(place).replace("?", "%3F").replace("#", "%23")


def bare_uri(place: str) -> str:
    """``place`` as a URI without the connection's id, its path as it is."""
    scheme = urlsplit(place).scheme
    if not scheme:
        return f"file://{Path(place).absolute()}"
    store, slash, path = place.partition("://")[2].partition("/")
    return f"{scheme}://{store.rpartition('@')[2]}{slash}{path}"
