"""How many bytes a schedule may take from the wire at most."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_batchdl.transfer.sinks.local.sink import WORTH_RESUMING
from airflow_provider_batchdl.transfer.source.framing import HEAD_READ
from airflow_provider_batchdl.transfer.source.stream import READ_SIZE
from tests.chaos.downloads import Outcome
from tests.chaos.fork_server import LOWERED, LOWERED_IN_PARALLEL
from tests.chaos.schedule import RANGED, STORED, Harm, Schedule

HEADERS = 2 * HEAD_READ
"""The headers of one request and its redirect, and what is read along with those of an answer that is not used."""

_BREAKS = frozenset({"cut", "abort", "reset", "status", "stall"})
_WITHOUT_NOTE = frozenset(
    {"weak_etag", "chunked_eof", "no_length", "wrong_length", "no_validator", "dated", "two_lengths", "packed_chunks"}
)


def wire_bound(schedule: Schedule, tries: Sequence[Outcome]) -> int:
    """The most bytes that all tries together may take from their sockets.

    Every byte is needed once. What is taken beyond that was thrown away, and no event throws away more than was
    there, one file at most. In detail:

    * the file, once;
    * for each fault, nothing where it only breaks a connection to a server with ranges: what came is kept, and the
      rest asked for. Else one file: the server has another file (`changed_file`, a new link at Batch.com), does not
      serve the rest alone (the vendors without ranges; `ignore_range`, `wrong_range`), or what came was worth nothing
      (`bitflip`, `html`, an end that nobody saw; a length or a validator that no later answer agrees with);
    * for each time that the machine stood still for longer than the time-out, the same as for a fault that breaks a
      connection;
    * for each kill with a byte in its hands, what was in hand, where the next try can go on (see `_goes_on`); else one
      file. In hand is one read; of several connections one each, and what came since it was last noted which bytes
      are there. On the way to S3 it is also all that came since the last checkpoint, which is noted when the store has
      the parts before it: the part being filled, those under way, and what waits for its turn;
    * for each other kill, one file: it may come when the note is gone, or worth nothing, and the file is not visible;
    * for each try that ended with an error, one file: an error leaves nothing behind;
    * for each request, its headers: a try makes one, each fault and each new beginning one more; several connections
      make one for each piece or share, and may have read a little of what has meanwhile become another's.
    """
    stalls = [harm for harm in schedule.faults if harm.kind == "stall"]
    silences = max(0, sum(outcome.silences for outcome in tries) - len(stalls))
    faults = (*schedule.faults, *[Harm("stall")] * silences)
    again = sum(_begins_again(schedule, harm) for harm in faults)
    killed = [kill.where for kill, outcome in zip(schedule.kills, tries, strict=False) if outcome.killed]
    errors = sum(bool(outcome.error) for outcome in tries)
    requests = len(tries) + 2 * len(faults) + again
    in_hand, per_request = READ_SIZE, HEADERS
    if schedule.connections > 1:
        read = int(LOWERED_IN_PARALLEL["source.stream.READ_SIZE"])
        in_hand = schedule.connections * read + int(LOWERED["parallel.division.RECORD_EVERY"])
        in_hand += (schedule.connections + 1) * int(LOWERED["parallel.division.PIECE"]) if schedule.to == "s3" else 0
        per_request += read
        requests += len(tries) * (schedule.connections + schedule.size // int(LOWERED["parallel.division.PIECE"]))
    if schedule.to == "s3":
        in_hand += int(sum(LOWERED[f"sinks.{name}"] for name in ("s3.checkpointed.EVERY", "buffered.IN_FLIGHT_BYTES")))
        in_hand += 2 * int(LOWERED["sinks.s3.sink.BLOCK"])
    goes_on = _goes_on(schedule)
    lost = sum(min(in_hand if goes_on and where == "byte" else schedule.size, schedule.size) for where in killed)
    return schedule.size * (1 + again + errors) + lost + per_request * requests


def _begins_again(schedule: Schedule, harm: Harm) -> bool:
    if harm.of == "job":
        return False
    breaks = harm.kind in _BREAKS or (harm.kind in ("expired_link", "chunked_eof") and schedule.vendor in STORED)
    return not (breaks and schedule.vendor in RANGED)


def _goes_on(schedule: Schedule) -> bool:
    """Whether what a killed try had is there for the next one.

    It is where the file is worth it, and the source gives ranges, a strong ETag and the true length.
    """
    worth = WORTH_RESUMING if schedule.to == "disk" else LOWERED["sinks.s3.checkpointed.WORTH_RECORDING"]
    # What is declared here are hashes, which no other process can continue over bytes that are already at S3.
    noted = not any(harm.kind in _WITHOUT_NOTE for harm in schedule.faults)
    noted = noted and not (schedule.to == "s3" and schedule.declared)
    return schedule.vendor in RANGED and schedule.size >= worth and noted
