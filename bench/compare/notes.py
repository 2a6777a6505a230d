"""The words around the tables of docs/comparison.md. What was measured is in the tables; here is why."""

from __future__ import annotations

from collections.abc import Mapping

from bench.compare.judge import Seen
from bench.compare.rivals import RIVALS
from bench.compare.scenes import KEY_HEADER, SCENES, TRIES
from bench.compare.stage import RUN_SECONDS

Outcomes = Mapping[tuple[str, str], Seen]


def one_line(text: str) -> str:
    """A text of several lines as one."""
    return " ".join(text.split())


def thread(number: int, *, repository: str = "apache/airflow", kind: str = "issues") -> str:
    """A link to an issue or a pull request."""
    return f"[{repository}#{number}](https://github.com/{repository}/{kind}/{number})"


BEGINNING = one_line("""
    The same job (a file of requests is uploaded, a batch submitted and waited for, its result downloaded) through four
    engines, each used as its own documentation says, against the same stand-in of OpenAI's Batch API, with the same
    faults. The service itself was not asked.
""")
DIFFERENT = one_line("""
    They are not the same kind of thing: one is made for language models, one for any HTTP request, one for syncs into a
    warehouse. [Where they are better](#where-they-are-better) says what the tables do not.
""")


def beginning(outcomes: Outcomes) -> list[str]:
    """The page in a few sentences, counted from the cells."""
    counts = []
    for rival in RIVALS:
        cells = [outcomes[scene.key, rival.engine] for scene in SCENES]
        clean = sum(seen.is_clean for seen in cells)
        more = sum(seen.orphans for seen in cells)
        counts.append(
            f"* {rival.name}: in {clean} of {len(SCENES)} scenes nothing is left for a person to do. "
            f"Batches too many: {more}. Scenes with rows missing: {sum(seen.lost > 0 for seen in cells)}; "
            f"with half a result to be seen: {sum(seen.seen_between > 0 for seen in cells)}; "
            f"with the key at another host: {sum(seen.secrets > 0 for seen in cells)}; "
            f"with no result in the end: {sum(not seen.succeeded for seen in cells)}."
        )
    return [BEGINNING, "", *counts, "", DIFFERENT]


def place_of_wait(engine: str, seen: Seen) -> str:
    """Where the wait is; of an engine that could be expected to defer and does not, the reason."""
    if seen.deferred:
        return "in the triggerer"
    if engine == "http_operator":
        return f"in a worker: a sensor with a `response_check` does not defer ({thread(40209)})"
    return "in a worker"


_BOTH = "as in the two scenes above."
_REDIRECT = """
    the trigger also reads the body of the answer that redirects, which the HTTP client below it has let go of by then:
    `Connection closed`, each time. No public report of it was found. Without `deferrable` the operator follows
    redirects.
"""
_WHY = {
    ("submit", "llm_batch"): """
        `LLMBatchOperator` notes its intent and finds a batch that an earlier try made, but here no try fails: the
        client library below it sends the request once more by itself, as it does by default (`max_retries` is 2).""",
    ("submit", "http_operator"): """
        `HttpOperator` does not know that its request made something: the task fails, and its retry sends the request
        again.""",
    ("submit", "airbyte"): """
        the CDK's HTTP client sends a request again whose connection broke, also one that makes something.""",
    ("restart", "http_operator"): f"""
        the request itself runs in the trigger, so a restart sends it again. This is known: {thread(67945)}, closed by a
        warning in the task's log ({thread(69748, kind="pull")}), which this version has.""",
    ("restart", "airbyte"): "the batch is known to the process that waits, and to nobody after it.",
    ("cut", "llm_batch"): """
        the rows are written under the final name as they arrive; the task fails, and until its retry has written the
        file anew, a reader finds the part.""",
    ("cut", "airbyte"): """
        records are passed on as they arrive; the sync fails, and the next one makes another batch.""",
    ("both", "llm_batch"): _BOTH,
    ("both", "http_operator"): _BOTH,
    ("both", "airbyte"): _BOTH,
    ("header", "llm_batch"): f"""
        its connection has a key and a URL, and no field for a header such as `{KEY_HEADER}`, so the gateway refuses
        it. An adapter of one's own, by entry point, could send it. (The client library itself sends Azure's header no
        longer to other hosts: {thread(3516, repository="openai/openai-python")}.)""",
    ("store", "http_operator"): _REDIRECT,
    ("header", "http_operator"): f"""
        as above, and a header of the connection's extra goes wherever a redirect leads. This is known, and
        open: {thread(70164)}.""",
    ("header", "airbyte"): """
        `requests` drops `Authorization` on its way to another host, and no header of another name.""",
}


def _is_odd(seen: Seen) -> bool:
    """Whether something is to be explained."""
    return bool(
        seen.seen_between or seen.orphans or seen.lost or seen.twice or seen.secrets or not seen.succeeded
    )  # fmt: skip


def _reasons(outcomes: Outcomes) -> list[str]:
    """Why a peer's cells are as they are, where they leave a person something to do or a reader half a result."""
    lines = [
        f"* {scene.title}, {rival.name.replace('**', '')}: "
        + one_line(_WHY.get((scene.key, rival.engine), "**not explained yet**."))
        for scene in SCENES
        for rival in RIVALS
        if _is_odd(outcomes[scene.key, rival.engine])
    ]
    return [*lines, "* Airbyte's `AsyncRetriever`, in all scenes: " + _NO_UPLOAD]


_NO_UPLOAD = one_line("""
    the requests of a manifest have JSON, form fields or text for a body, and no file. The harness uploads the file in
    a person's place; a component of one's own, in Python, could.
""")
BETTER = (
    """
    **`LLMBatchOperator`** takes prompts, not a file: it builds the lines, checks the API's limits before the submit,
    asks for structured output by a pydantic class, validates each answer against it, and accounts for every prompt in
    its manifest (succeeded, errored, invalid, expired, cancelled, missing). It speaks OpenAI's and Anthropic's APIs and
    has a `@task.llm_batch` decorator; its siblings have agents, tools and approval by a person. It is an official
    provider, released with Airflow's others. For prompts it is the shorter way: this package takes and leaves the API's
    own files.
    """,
    f"""
    **`HttpOperator`** needs no description of a vendor, sends any request, and is the provider that nearly every
    Airflow has. For one request that may safely be sent twice it is all that is needed. That a deferred one kept only
    the last of several pages is fixed in the version used here ({thread(72388, kind="pull")}).
    """,
    """
    **Airbyte's CDK** comes with a catalogue of connectors, with incremental syncs, partitions, schemas, and records
    instead of files, a builder in the browser, and a platform that runs the syncs and writes into warehouses. Its
    manifests say more than this package's documents can: expressions, transformations, components of one's own.
    """,
    "All three have more users than this package.",
)

HOW = tuple(
    one_line(paragraph)
    for paragraph in (
        f"""
        Each cell is a run in processes of its own against an emulator of its own on loopback, where a batch takes
        {RUN_SECONDS:.0f} s. Airflow's operators run in its own task runner, with an Execution API in memory
        (`tests/support`): {TRIES} tries (`retries={TRIES - 1}`), without the delay between them. A deferral goes
        through Airflow's serialization; its trigger runs in an event loop of its own, and the second one, made of what
        was serialized, in another. A sync is begun anew as often ({TRIES} in all, beside one that was killed), and its
        records replace those of the one before. Everything polls once a second: `LLMBatchOperator`'s least, 30 s, is
        lowered for it, and Airbyte's CDK has an interval of its own, 5 s.
        """,
        """
        *Result right* compares bytes with what the vendor has where an engine leaves the vendor's file (for
        `HttpOperator`: the XCom's text, written to a file), and else each row's text. *Rows lost* are those missing
        from a run that says it succeeded. *Seen between tries* is what stood under the result's final name, or had
        been passed on, after a try that failed. *Requests* are those that the vendor and the other host got, polls
        included. *What a person must do* is put together from the other cells by
        [a function](../bench/compare/judge.py). Nothing in the tables is typed in, and the page is not written where a
        cell was not measured.
        """,
    )
)


def ends(outcomes: Outcomes) -> list[str]:
    """What follows the tables."""
    better = [f"* {one_line(text)}" for text in BETTER]
    return ["## Why", "", *_reasons(outcomes), "", "## Where they are better", "", *better]
