"""The harness of `make comparison`: this package's own column, what it judges, and what it refuses to write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.compare import airbyte, document, judge
from bench.compare.judge import Seen
from bench.compare.rivals import RIVALS
from bench.compare.run import play
from bench.compare.scenes import SCENES, Scene

GOOD = Seen(
    succeeded=True, tries=1, error=None, jobs=1, cancelled=0, prompts=10, right=10, twice=0, same_file=True,
    seen_between=0, at_store=1, secrets=0, requests=6, deferred=True, largest_message=600, key_in_airflow=False,
)  # fmt: skip
VERSIONS = {rival.package: "1.0" for rival in RIVALS}
OUTCOMES = {(scene.key, rival.engine): GOOD for scene in SCENES for rival in RIVALS}


@pytest.mark.parametrize(
    "scene",
    [
        Scene("all", "Everything at once", "", lost_submit=True, restart=True, cut=True),
        Scene("header", "Another host", "", elsewhere=True, own_header=True),
    ],
    ids=lambda scene: scene.key,
)
def test_whatever_goes_wrong_this_package_makes_one_batch_and_lands_the_file(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OPENAI", "")  # the play sets it
    seen = play("ours", scene, here=True)
    assert seen.is_clean
    assert (seen.jobs, seen.same_file, seen.right, seen.seen_between) == (1, True, seen.prompts, 0)
    assert (seen.secrets, seen.key_in_airflow, seen.deferred) == (0, False, True)
    assert seen.at_store == scene.elsewhere
    assert seen.largest_message < 5000


@pytest.mark.parametrize(
    ("seen", "chores"),
    [
        (GOOD, []),
        (replace(GOOD, jobs=3), ["find and cancel 2 more batches, or pay for it"]),
        (replace(GOOD, jobs=2, cancelled=1), []),
        (replace(GOOD, right=7), ["notice that 3 rows are missing"]),
        (replace(GOOD, twice=2), ["remove 2 rows that are there twice"]),
        (replace(GOOD, secrets=1), ["replace the key, which another host has"]),
        (replace(GOOD, succeeded=False, right=None), ["fetch the result by other means"]),
        (replace(GOOD, succeeded=False, right=None, jobs=0), ["use something else: no batch can be made"]),
        (replace(GOOD, by_hand=airbyte.BY_HAND), list(airbyte.BY_HAND)),
    ],
)
def test_what_a_person_must_do_is_found_from_what_was_measured(seen: Seen, chores: list[str]) -> None:
    assert judge.chores(seen) == chores
    assert seen.is_clean == (not chores)


def test_a_row_of_cells() -> None:
    bad = replace(GOOD, same_file=False, right=7, jobs=2, tries=2, error="OSError", seen_between=4, secrets=1)
    assert [cell(bad) for cell in judge.COLUMNS.values()][:-1] == [
        "succeeded after OSError",
        "**2**",
        "**no**: 7 of 10 rows",
        "**3**",
        "**4 rows**",
        "**the key**, in 1 of 1 requests",
        "6",
    ]


@pytest.mark.parametrize("missing", [("cut", "airbyte"), ("calm", "ours")])
def test_a_page_with_a_cell_that_was_not_measured_is_not_written(missing: tuple[str, str]) -> None:
    outcomes = {key: seen for key, seen in OUTCOMES.items() if key != missing}
    with pytest.raises(document.NotMeasuredError, match="not measured: " + ", ".join(missing)):
        document.page(outcomes, VERSIONS, 1.0)


def test_a_page_with_an_engine_of_unknown_version_is_not_written() -> None:
    with pytest.raises(document.NotMeasuredError, match="airbyte-cdk"):
        document.page(OUTCOMES, {**VERSIONS, "airbyte-cdk": ""}, 1.0)


def test_what_is_odd_and_has_no_reason_is_said_to_have_none() -> None:
    page = document.page({**OUTCOMES, ("calm", "airbyte"): replace(GOOD, jobs=2)}, VERSIONS, 1.0)
    assert "**not explained yet**" in page


def test_the_page_is_of_the_present_scenes_and_engines() -> None:
    page = document.PATH.read_text()
    assert [title for scene in SCENES if (title := f"## {scene.title}\n") not in page] == []
    assert [rival.package for rival in RIVALS if rival.package not in page] == []
    assert page.count("\n| engine | " + " | ".join(judge.COLUMNS)) == len(SCENES)
    assert "not explained yet" not in page


def test_a_manifest_has_the_key_where_the_scene_wants_it() -> None:
    [stream] = airbyte.manifest(own_header=False)["streams"]
    assert stream["retriever"]["download_requester"]["authenticator"]["type"] == "BearerAuthenticator"
    [stream] = airbyte.manifest(own_header=True)["streams"]
    assert stream["retriever"]["download_requester"]["authenticator"]["inject_into"]["field_name"] == "api-key"
