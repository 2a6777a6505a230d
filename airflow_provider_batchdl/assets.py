"""What a task's asset events tell the DAGs that wait for them about the result that landed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.redaction import excerpt, get_logger
from airflow_provider_batchdl.storable import is_storable_text, storable, storable_text

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.jobs import Landing

log = get_logger(__name__)

# What Airflow's database takes.
LONGEST_PARTITION_KEY = 250


def tell_outlets(context: Context, outlets: Iterable[Any], landing: Landing, destination: str) -> None:
    """Give the task's asset events the landing as their extra.

    The event of an `Asset` carries it; to an `AssetAlias`, what landed is added as an asset of its own: a single file
    under its own address, several under the destination's, and nothing where an empty result landed.

    Args:
        context: the running task's.
        outlets: what the task declares.
        landing: what it left.
        destination: where the user wanted it.
    """
    from airflow.sdk import Asset, AssetAlias

    events: Any = context["outlet_events"]
    extra = extra_of(landing)
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            if not landing.files:
                continue  # nothing is there that could be an asset
            place = landing.files[0].uri if len(landing.files) == 1 else destination
            try:
                asset = Asset(asset_uri(place))
            except ValueError as error:  # too long for Airflow's database, for one; the files have landed all the same
                log.warning("What landed at %s cannot be an asset: %s", place, error)
            else:
                events[outlet].add(asset, extra=extra)
        elif isinstance(outlet, Asset):
            events[outlet].extra.update(extra)


def checked_partitions(context: Context, outlets: Iterable[Any], keys: str | Sequence[str] | None) -> list[str]:
    """An operator's ``partition_key``, rendered, as a list; before a job is submitted that would be paid for in vain.

    Args:
        context: the running task's.
        outlets: what the task declares.
        keys: one, several or none.

    Raises:
        InvalidRequestError: Airflow would not take them, or nothing that the task declares can have them.
    """
    if keys is None:
        return []
    found: list[Any] = [keys] if isinstance(keys, str) else list(keys)
    for key in found:
        sound = isinstance(key, str) and key.strip() and len(key) <= LONGEST_PARTITION_KEY and is_storable_text(key)
        if not sound:
            raise InvalidRequestError(
                f"The partition_key {excerpt(key, 40)!r} is not a text of 1 to {LONGEST_PARTITION_KEY} characters.",
                remedy="Look at the rendered template; leave partition_key out for the partition of the run itself.",
            )
    assets = assets_of(outlets)
    if not assets:
        raise InvalidRequestError(
            "The task has a partition_key, and no outlet that is an Asset.",
            remedy="Declare one; the event of an AssetAlias has the partition of the run, and cannot have another.",
        )
    if not hasattr(cast("Any", context)["outlet_events"][assets[0]], "add_partitions"):
        raise InvalidRequestError(
            "partition_key needs Airflow 3.3.",
            remedy="Leave it out; from Airflow 3.2 on, events have the partition of the run without it.",
        )
    return found


def add_partitions(context: Context, outlets: Iterable[Any], keys: Sequence[str]) -> None:
    """Give the task's assets one event for each partition, instead of one for the partition of the run.

    Args:
        context: the running task's.
        outlets: what the task declares.
        keys: as :func:`checked_partitions` returns them; none changes nothing.
    """
    events: Any = context["outlet_events"]
    for asset in assets_of(outlets) if keys else ():
        events[asset].add_partitions(list(keys))


def assets_of(declared: Iterable[Any]) -> list[Any]:
    """The assets among a task's inlets or outlets: what has an address, and what a partition can be given to."""
    from airflow.sdk import Asset

    return [each for each in declared if isinstance(each, Asset)]


def extra_of(landing: Landing) -> dict[str, Any]:
    """What an event carries, as plain JSON: ``rows`` and ``sha256`` only where all files have them.

    The addresses are the landing's own, as `ObjectStoragePath` opens them.
    """
    rows = [file.rows for file in landing.files]
    digests = [file.sha256 for file in landing.files]
    extra: dict[str, Any] = {
        "vendor": landing.vendor,
        "job_id": landing.job_id,
        "uris": [file.uri for file in landing.files],
        "bytes": landing.bytes,
    }
    if None not in rows:
        extra["rows"] = sum(count or 0 for count in rows)
    if None not in digests:
        extra["sha256"] = digests
    return storable(extra)  # type: ignore[no-any-return]


def asset_uri(place: str) -> str:
    """The name of an asset (AIP-60): where it is, whichever connection leads there.

    Args:
        place: a destination as `ObjectStoragePath` takes it, a local path among them.
    """
    place = storable_text(place)
    # In a key they are letters; Airflow would drop what follows the one, and sort what follows the other.
    return bare_uri(place).replace("?", "%3F").replace("#", "%23")


def bare_uri(place: str) -> str:
    """``place`` as a URI without the connection's id, its path as it is."""
    scheme = urlsplit(place).scheme
    if not scheme:
        return f"file://{Path(place).absolute()}"
    store, slash, path = place.partition("://")[2].partition("/")
    return f"{scheme}://{store.rpartition('@')[2]}{slash}{path}"
