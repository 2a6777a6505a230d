"""The words around the tables of docs/faults.md."""

from __future__ import annotations

import math
import re
from importlib import import_module

from bench.faults.columns import COLUMNS, HARMS, HURRY, ODD
from bench.faults.engines import CONNECTIONS, DIVIDED_AT, Engine
from bench.faults.judge import NOTHING, Cell
from bench.faults.ours import LOWERED
from bench.faults.run import OUR_PATIENCE, PATIENCE, SPEED

LEGEND = (
    (
        "* `ok 1.00x`: the destination holds exactly the file; the number is what the server sent over its size. "
        "What the server had handed to its socket when the client hung up counts, so it may be more than was read."
    ),
    "* `ok (new)`: exactly the file that replaced the first one.",
    "* `ok (packed)`: exactly the bytes that the store has, still packed, as the name `.csv.gz` says.",
    "* `asks too soon`: before the time that `Retry-After` named.",
    (
        "* `error: Type`: the engine says that it failed: its exception, or the program's exit code. "
        "`+ partial left`: a wrong file stands under the final name, like any other to whoever reads it (curl `-C -`, "
        "wget and aria2 resume it)."
    ),
    "* `hidden part kept`: a part of the file is left under a hidden name, for the next try to resume.",
    "* **SILENT BAD**: the engine says that all went well, and the file is wrong (in brackets: its length).",
    (
        f"* `hung`: not ended after {PATIENCE:.0f} s ({HURRY:.0f} s where it is the answer's beginning that does not "
        f"come; ours: {OUR_PATIENCE:.0f} s), and so killed. The drip takes hours."
    ),
    "* `held`, `key leaked`, `auth leaked`: which of the credentials the other host got.",
)

SEVERAL = (
    (
        "One fault at a time is what the tables show. `tests/chaos` draws several: up to four faults of the emulator "
        "and up to three kills (SIGKILL of the real process, with a drawn byte of the file in its hands, right before "
        "a drawn step on the file system, or before or after a drawn call to the S3 store), over file sizes around "
        "every border (0, 1, a read, what is worth keeping, a part of S3, each ± 1), to disk and to S3, with one "
        "connection and with several. After every try the destination holds nothing, or what it held before, or one "
        "whole version of the file. In the end it holds the file; no temporary file, no note and no upload is left; "
        "and all tries together have taken no more bytes from the wire than "
        "[what the faults and kills can explain](../tests/chaos/bound.py)."
    ),
    (
        "`make test` plays some 100 schedules, always the same; `make chaos` thousands of others "
        "(`CHAOS_EXAMPLES=3000`), new ones each time unless `CHAOS_SEED` says which. What fails is printed in the "
        "smallest form that still does, ready to be pasted into `FOUND` in [the test](../tests/chaos/test_chaos.py), "
        "where it stays."
    ),
)

# What was on its way to several connections at the end is some percent of a file.
_AS_HOPED = re.compile(rf"ok 1\.0[0-4]x|ok \(packed\) 0\.\d\dx|held|{NOTHING.text}")

_WHY = {
    "no_range": "a server that ignores ranges allows a restart only; its 200 is used as it is.",
    "wrong_range": "a range from elsewhere is not trusted to be of the same file: the answer is dropped and the file "
    "restarts from byte 0. The server had sent part of the wrong range by then, which is counted.",
    "changed": "nothing of the old file may stay in the new one.",
    "no_length": "the format's end is missing (here: a CSV whose last line has no end), so it is fetched once more. "
    "Where it is cut exactly between two lines, see *cut at a line's end*.",
    "retry_after": "the connection that is refused is given up and its share left to the others. Where they fetch the "
    "file in pieces, for a store that takes bytes in their order only, they ask for the next piece when they are done "
    "with the last, without regard to the wait that the refused one got.",
    "new_file": "another ETag is another file: it restarts from byte 0.",
    "flip_declared": "the checksum finds it when all bytes are there; the file is fetched once more, from byte 0. "
    "Where it is wrong again, the task fails with `ChecksumMismatchError` and leaves nothing.",
    "flip": "nothing that the server says distinguishes this file from the true one. Only a client that knows a "
    "checksum from elsewhere can see it: pooch, when it is given the hash, does.",
    "no_number": "a length that is no number is none: it proves nothing, and the content does not end as its format "
    "does, so it is fetched once more.",
    "line_end": "nothing proves these bytes, and a CSV has no end of its own, so they are read a second time, and once "
    "more where the two differ. A CSV that is cut between two lines at the same place each time, by a server that "
    "declares no length and no checksum, looks whole to a client that does not know its size or hash.",
    "short": "the store's length proves the store's copy, not that it is all of what the vendor wrote. Of the engines "
    "that get the link alone, only one that knows the size or the hash can see it.",
    "gzip_chunked": "nobody can tell whether the bytes in the chunks are packed: nothing lands, and the task's retry "
    "asks again. To land whole bytes would be right, too; chunk sizes inside the file would not.",
    "no_etag": "the part may be of another version (here it is): it is dropped, and the file restarts from byte 0. "
    "The server had sent the part by then, which is counted.",
    "same_second": "a date of the second in which it was given says nothing of what is written later in that second "
    "(RFC 9110, section 8.8.2.2): no part is asked for, the file restarts from byte 0.",
    "not_ready": "there is no file yet. The task's retry asks again, not before `Retry-After`.",
    "error_200": "an error is no result, whatever its status and its content type.",
    "page_200": "a page is no result, whatever its status and its content type.",
    "disk": "there is no room. It is asked for before the first byte is fetched, where the server declares a length.",
    "part_always": "the store takes no part. The upload is aborted: nothing is visible or billed.",
    "complete_always": "the store does not complete the upload, which is aborted: nothing is visible or billed.",
    "part_once": "the part is sent again.",
    "complete_once": "the completion is asked for again.",
}


def footnotes(rows: list[Engine], outcomes: dict[str, dict[str, Cell]]) -> list[str]:
    """Why our cells are not `ok 1.00x`, where they are not."""
    lines = []
    for column in COLUMNS:
        cells = [outcomes[row.name].get(column.key, NOTHING) for row in rows if row.ours]
        odd = [cell.text for cell in cells if not _AS_HOPED.fullmatch(cell.text)]
        if odd:
            mark = "¹ " if column.undetectable else ""
            why = _WHY.get(column.key, "**not explained yet**.")
            lines.append(f"* {mark}{column.title} ({' · '.join(dict.fromkeys(odd))}): {why}")
    return lines


def better_peers(rows: list[Engine], outcomes: dict[str, dict[str, Cell]]) -> list[str]:
    """Where a peer ends with the file and this engine, to disk, does not, or with clearly more bytes."""
    ours = next(row for row in rows if row.ours)
    peers = [row for row in rows if not row.ours and row.version]
    lines = []
    for column in (*HARMS, *ODD):
        own = outcomes[ours.name].get(column.key, NOTHING)
        cells = [(row.name, outcomes[row.name].get(column.key, NOTHING)) for row in peers]
        ahead = [f"{name} ({cell.text})" for name, cell in cells if _cost(cell) < _cost(own) - 0.04]
        if ahead and own.kind != "none":
            lines.append(f"* {column.title}, ours {own.text}: {', '.join(ahead)}.")
    return lines or ["* Nowhere in this run."]


def _cost(cell: Cell) -> float:
    """Bytes sent over the file's size; without end where the file is not there, and 1 at least: packed ones are few."""
    found = re.search(r"(\d+\.\d+)x", cell.text)
    return max(1.0, float(found[1])) if found and cell.kind == "ok" else 1.0 if cell.text == "held" else math.inf


def how_it_ran() -> str:
    """How engines are started, and what was changed in ours for it."""
    lowered = []
    for (module, constant), seconds in LOWERED.items():
        usual = float(getattr(import_module(module), constant))
        lowered.append(f"`{module.partition('.')[2]}.{constant}` is {seconds:.0f} s instead of {usual:.0f} s")
    return (
        "Every cell is one process, started anew, against an emulator of its own on loopback. Peers run in an "
        "environment of their own (`requirements/faults.txt`), used as their documentation shows, with the time-outs "
        "(3 s) and retries (4) that they offer; they get the pre-signed link as a user would, in the redirect column "
        "the API's URL and headers, and under *link makes a new file* a URL that redirects to a new link each time. "
        "The odd answers of redirects that lead to the machine itself, to private addresses or to a cloud's metadata "
        "are left out: everything here is loopback, and nothing else may be asked (`tests/transfer` has them). "
        "This engine gets the account and the job's id and is used as the operators use it "
        "(`transfer.download`). Faults strike a third into the file. "
        f"In the rows with {CONNECTIONS} connections the store gives each of them {SPEED >> 20} MiB/s, so that they "
        "are worth it, and the log of its requests has to show that several were answered at once. There the first two "
        f"requests are left in peace, and faults strike {DIVIDED_AT // 1_000_000} MB into what the next one fetches. "
        "So that cells take seconds, its patience is shortened: "
        f"{'; '.join(lowered)}. The rate below which a transfer is given up is its own. huggingface_hub resumes at "
        "multiples of 10 MiB only, so it gets a larger file, and so does S3, to be written in parts."
    )
