"""The harness of `make faults` itself: what it judges, what it writes, and that it knows the engine's constants."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.faults import document, hosts
from bench.faults.columns import COLUMNS, HARMS, ODD, STORE, UNDETECTABLE, Strike
from bench.faults.engines import Engine
from bench.faults.judge import Cell, Seen, broken_promises, digest_of, judged
from bench.faults.notes import better_peers, footnotes, how_it_ran
from bench.faults.ours import LOWERED, lower_time_outs
from bench.faults.s3_proxy import StoreFault, call_name, s3_proxy
from bench.faults.scenes import arranged
from bench.peer_venv import ROOT

GOOD = Seen("ok", "a", 100, good="a", size=100, sent=133)
BY_KEY = {column.key: column for column in COLUMNS}


@pytest.mark.parametrize(
    ("seen", "text", "kind"),
    [
        (GOOD, "ok 1.33x", "ok"),
        (replace(GOOD, hasty=True), "ok 1.33x, asks too soon", "ok"),
        (replace(GOOD, digest="b", good_later="b"), "ok (new) 1.33x", "ok"),
        (replace(GOOD, digest="p", packed="p", sent=15), "ok (packed) 0.15x", "ok"),
        (replace(GOOD, packed="p"), "ok 1.33x", "ok"),
        (replace(GOOD, digest="c", good_later="b"), "**SILENT BAD** (100 B)", "bad"),
        (replace(GOOD, digest=None, length=0), "**SILENT BAD** (no file)", "bad"),
        (replace(GOOD, ended="error", error="OSError", digest=None), "error: OSError", "error"),
        (replace(GOOD, ended="error", error="OSError", digest="c"), "error: OSError + partial left", "error"),
        (replace(GOOD, ended="error", error="exit 1"), "error: exit 1", "error"),
        (
            replace(GOOD, ended="error", error="E", digest=None, left=(".r.part",)),
            "error: E, hidden part kept",
            "error",
        ),
        (replace(GOOD, ended="hung", digest="c"), "hung + partial left", "hung"),
        (replace(GOOD, leaked=()), "held", "ok"),
        (replace(GOOD, leaked=("key", "auth")), "key + auth leaked", "ok"),
        (replace(GOOD, leaked=(), ended="error", error="E", digest=None), "held; error: E", "error"),
    ],
)
def test_an_outcome_is_judged_by_the_bytes(seen: Seen, text: str, kind: str) -> None:
    cell = judged(seen)
    assert (cell.text, cell.kind) == (text, kind)


def test_every_broken_promise_is_found_and_the_undetectable_flip_is_none() -> None:
    cells = {
        "drop": Cell("ok 1.00x", "ok"),
        "flip": Cell("**SILENT BAD** (3 B)", "bad", partial=True),
        "changed": Cell("**SILENT BAD** (3 B)", "bad", partial=True),
        "disk": Cell("error: X + partial left", "error", partial=True),
        "stall": Cell("hung", "hung"),
        "redirect": Cell("key leaked", "ok", leaked=True),
        "part_always": Cell("error: X", "error", left=("an unfinished upload",)),
        "part_once": Cell("ok 1.00x", "ok", left=(".r.part",)),
        "expired": Cell("error: X", "error", left=(".r.part",)),
        "no_range": Cell("error: untyped KeyError", "error"),
    }
    problems = broken_promises(cells, UNDETECTABLE)
    assert [problem.partition(":")[0] for problem in problems] == [
        "changed", "disk", "stall", "redirect", "part_always", "part_once", "no_range",
    ]  # fmt: skip


def test_the_harness_knows_the_engines_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    for (module, constant), seconds in LOWERED.items():
        monkeypatch.setattr(f"{module}.{constant}", seconds * 10)  # fails where there is none
    assert lower_time_outs() == {constant: seconds * 10 for (_, constant), seconds in LOWERED.items()}
    assert "IDLE_TIMEOUT" in how_it_ran()


def test_tables_have_a_cell_for_every_column_and_name_what_is_missing() -> None:
    rows = [
        Engine("ours", lambda order: [], "0.1", ours=True, s3=True),
        Engine("peer", lambda order: [], "1.0"),
        Engine("absent", lambda order: [], ""),
    ]
    bad = Cell("**SILENT BAD** (3 B)", "bad", partial=True)
    outcomes = {"ours": {"flip": bad, "drop": Cell("ok 1.00x", "ok")}, "peer": {"changed": bad}, "absent": {}}
    text = document.rendered(rows, outcomes, [], tmpfs=True, seconds=1)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    for table, columns in ((lines[:5], HARMS), (lines[5:10], ODD)):
        assert {line.count("|") for line in table} == {len(columns) + 2}
        assert "| absent | not installed |" in table[4]
    assert {line.count("|") for line in lines[10:]} == {len(STORE) + 2}
    assert text.count("\n* **") == len(COLUMNS) + 1  # and SILENT BAD among the words
    assert "(3 B)¹" in lines[2]
    assert "Of 1 peers, 1 are silently wrong" in text
    assert [line[:5] for line in footnotes(rows, outcomes)] == ["* ¹ b"]
    assert "Broken promises" in document.rendered(rows, outcomes, ["ours · x"], tmpfs=False, seconds=1)


def test_what_a_peer_does_better_is_said() -> None:
    rows = [
        Engine("ours", lambda order: [], "0.1", ours=True),
        Engine("peer", lambda order: [], "1.0"),
        Engine("absent", lambda order: [], ""),
    ]
    error, cheap, dear = Cell("error: X", "error"), Cell("ok 1.33x", "ok"), Cell("ok (new) 2.33x, asks too soon", "ok")
    held, packed = Cell("held", "ok"), Cell("ok (packed) 0.15x", "ok")
    ours = {
        "drop": cheap,
        "changed": dear,
        "disk": error,
        "flip": error,
        "redirect": held,
        "csv_gz": Cell("ok 1.00x", "ok"),
    }
    peer = {"drop": dear, "changed": cheap, "disk": cheap, "flip": error, "redirect": held, "csv_gz": packed}
    outcomes = {"ours": ours, "peer": peer, "absent": {}}
    assert better_peers(rows, outcomes) == [
        "* changed file, ours ok (new) 2.33x, asks too soon: peer (ok 1.33x).",
        "* full disk, ours error: X: peer (ok 1.33x).",
    ]
    assert better_peers(rows, {**outcomes, "peer": {}}) == ["* Nowhere in this run."]


def _asked(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        with connection.getresponse() as answer:
            try:
                body = answer.read()
            except http.client.IncompleteRead as cut:
                body = cut.partial
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body
    finally:
        connection.close()


def test_a_part_of_another_version_names_none() -> None:
    with arranged(BY_KEY["no_etag"], 30_000, Strike(10_000)) as scene:
        _, first, begun = _asked(scene.url)
        condition = {"Range": f"bytes={len(begun)}-", "If-Range": first["etag"]}
        status, part, rest = _asked(scene.url, **condition)
        assert (status, part.get("etag"), part.get("last-modified")) == (206, None, None)
        assert hashlib.sha256(begun + rest).hexdigest() not in (scene.good, scene.good_later)
        status, again, whole = _asked(scene.url, **condition)
        assert (status, again["etag"] != first["etag"]) == (200, True)
        assert hashlib.sha256(whole).hexdigest() == scene.good_later


def test_a_change_within_a_second_is_not_seen_in_the_date() -> None:
    with arranged(BY_KEY["same_second"], 30_000, Strike(10_000)) as scene:
        _, first, begun = _asked(scene.url)
        status, part, rest = _asked(scene.url, Range=f"bytes={len(begun)}-", **{"If-Range": first["last-modified"]})
        assert (status, len(begun), len(begun + rest)) == (206, 10_000, 30_000)
        assert first["last-modified"] == part["last-modified"] == first["date"]
        assert hashlib.sha256(begun + rest).hexdigest() not in (scene.good, scene.good_later)


def test_what_ends_at_a_line_is_whole_lines() -> None:
    for key in ("line_end", "short"):
        with arranged(BY_KEY[key], 30_000, Strike(10_000)) as scene:
            _, headers, body = _asked(scene.url)
            assert body.endswith(b"\n")
            assert 10_000 < len(body) < 11_000
            assert headers.get("content-length") == (str(len(body)) if key == "short" else None)


def test_both_forms_of_a_packed_file_are_known() -> None:
    with arranged(BY_KEY["csv_gz"], 30_000, Strike(10_000)) as scene:
        _, headers, body = _asked(scene.url)
        assert headers["content-encoding"] == "gzip"
        assert hashlib.sha256(body).hexdigest() == scene.packed
        assert hashlib.sha256(gzip.decompress(body)).hexdigest() == scene.good


def test_a_link_goes_stale_after_its_first_use_and_a_new_one_leads_to_another_file() -> None:
    with arranged(BY_KEY["new_file"], 30_000, Strike(10_000)) as scene:
        links = [hosts.location_of(scene.url, {}) for _ in range(2)]
        for link in (links[0], links[0], links[1]):
            parts = urlsplit(link)
            connection = http.client.HTTPConnection(parts.netloc, timeout=60)
            connection.request("GET", f"{parts.path}?{parts.query}")
            connection.getresponse().close()
            connection.close()
        assert [record.status for record in scene.emulator.requests if record.operation == "store"][:2] == [200, 403]
        assert scene.good_later not in (None, scene.good)


def test_the_log_shows_how_many_were_answered_at_once() -> None:
    with arranged(BY_KEY["drop"], 30_000, Strike(10_000, after=99), speed=500) as scene:  # a minute each
        parts = urlsplit(scene.url)
        connections = [http.client.HTTPConnection(parts.netloc, timeout=60) for _ in range(2)]
        for number, connection in enumerate(connections, start=1):
            connection.request("GET", f"{parts.path}?{parts.query}")
            connection.getresponse()
            assert scene.at_once == number
        for connection in connections:
            connection.close()


def test_the_proxy_answers_chosen_calls_and_lets_the_rest_through() -> None:
    class Store(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        with s3_proxy(f"http://127.0.0.1:{server.server_port}", StoreFault("part", 503, 1)) as url:
            statuses = []
            for query in ("uploadId=u", "partNumber=1&uploadId=u", "partNumber=1&uploadId=u"):
                connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
                connection.request("PUT", f"/b/k?{query}", body=b"x")
                statuses.append(connection.getresponse().status)
                connection.close()
    finally:
        server.shutdown()
        server.server_close()
    assert statuses == [200, 503, 200]
    assert call_name("POST", "/b/k?uploads=") == "other"
    assert call_name("POST", "/b/k?uploadId=1") == "complete"


def test_a_missing_file_has_no_digest(tmp_path: Path) -> None:
    assert digest_of(tmp_path / "none") == (None, 0)


def test_the_readme_quotes_the_matrix() -> None:
    phrases = [
        r"of its (\d+) cells",
        r"Of (\d+) peers, (\d+) are",
        r"(\d+) leave a partial",
        r"(\d+) hand a credential",
    ]
    told = [" ".join((ROOT / name).read_text().split()) for name in ("README.md", "docs/faults.md")]
    for phrase in phrases:
        readme, matrix = (re.findall(phrase, text) for text in told)
        assert readme == matrix != []
