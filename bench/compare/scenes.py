"""What goes wrong, one scene per table."""

from __future__ import annotations

from dataclasses import dataclass

PROMPTS = 2000
"""Requests in the batch, and so rows in its result."""
CUT_AT = 200_000
"""Bytes of the result that arrive before the download is cut."""
SLOW_ANSWER = 2.0
"""Seconds that the vendor takes to answer a submit where the triggerer restarts."""
RESTART_AFTER = 0.5
"""Seconds into the life of a trigger at which the triggerer restarts."""
TRIES = 3
"""A task has `retries=2`."""


@dataclass(frozen=True)
class Scene:
    """One run of the job.

    Attributes:
        key: short name, for `--only`.
        title: the table's heading.
        says: what happens, in a sentence or two.
        lost_submit: the vendor makes the job, and the answer to the submit is lost.
        restart: the triggerer restarts while the task waits.
        cut: the connection ends within the download, once.
        elsewhere: the download redirects to a store on another host.
        own_header: the API key is in a header of its own name.
    """

    key: str
    title: str
    says: str
    lost_submit: bool = False
    restart: bool = False
    cut: bool = False
    elsewhere: bool = False
    own_header: bool = False


KEY_HEADER = "api-key"

_RESTART = (
    f"The vendor takes {SLOW_ANSWER:.0f} s to answer a submit, and {RESTART_AFTER} s after a trigger began to run the "
    "triggerer restarts: the trigger is cancelled and made anew of what Airflow's database has of it. Where nothing is "
    "deferred, the process that waits is killed and started anew."
)

SCENES = (
    Scene("calm", "Nothing goes wrong", "Upload, submit, wait, download."),
    Scene(
        "submit",
        "The answer to the submit is lost",
        "The vendor makes the batch; the connection is reset before its answer.",
        lost_submit=True,
    ),
    Scene("restart", "The triggerer restarts while the task waits", _RESTART, restart=True),
    Scene(
        "cut",
        "The download is cut",
        f"The connection ends after {CUT_AT:,} bytes of the result, once.",
        cut=True,
    ),
    Scene(
        "both",
        "A restart, and then a cut download",
        "The two above in one run, with as many tries as it takes.",
        restart=True,
        cut=True,
    ),
    Scene(
        "store",
        "The result lies at a store on another host",
        "The download redirects to another host, which notes the headers that it gets.",
        elsewhere=True,
    ),
    Scene(
        "header",
        "The same, with the key in a header of its own name",
        f"As many gateways and Azure's endpoints want it, the key is in `{KEY_HEADER}` instead of `Authorization`; the "
        "download redirects to another host.",
        elsewhere=True,
        own_header=True,
    ),
)
