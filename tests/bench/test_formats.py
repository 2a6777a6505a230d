"""The files of the benchmark's formats are what they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_batchdl.transfer.content import Content
from bench import formats
from bench.cases.formats import summary, title
from bench.lines import all_lines
from bench.measure import Case, Cost, Results, Series

WORDS = {"csv": "csv-end", "jsonl": "jsonl-end", "json": "json", "csv.gz": "gzip", "zip": "zip", "parquet": "parquet"}


@pytest.mark.parametrize("name", [*formats.FORMATS, *formats.PACKED])
def test_a_file_is_what_it_is_called(tmp_path: Path, name: str) -> None:
    if name == "Parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"x.{formats.suffix_of(name)}"
    formats.write(path, name, 3 << 20)
    assert 1 << 20 < path.stat().st_size < 8 << 20
    content = Content(None, path.name, proven=False)
    content.feed(path.read_bytes())
    found = content.finish()
    assert (found.word, found.error) == (WORDS[formats.suffix_of(name)], None)
    assert (found.rows is None) == (name == "zip")
    if path.suffix == ".json":
        assert len(json.loads(path.read_bytes())) == found.rows


def test_the_page_names_the_dearest_format_first() -> None:
    def case(cpu: float) -> Case:
        costs = {"ours": cpu, "ours, .bin": 1.0, "curl + openssl": 2.0}
        return Case({name: Series((Cost(each, each, each, each, 1.0),)) for name, each in costs.items()})

    results: Results = {title("CSV, all quoted"): case(1.5), title("zip"): case(1.0), title("JSON lines"): case(3.0)}
    names = [line.split("|")[1].strip() for line in summary(results).splitlines() if line.startswith("| ")][1:]
    assert names == ["JSON lines", "CSV, all quoted", "zip"]
    measured = {str(line.case): line.verdict(results) for line in all_lines(results) if line.case in results}
    assert {case: bool(verdict and verdict.reached) for case, verdict in measured.items()} == {
        title("CSV, all quoted"): True,
        title("zip"): True,
        title("JSON lines"): False,
    }
