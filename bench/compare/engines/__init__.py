"""The engines that are Airflow operators, each used as its own documentation shows.

An engine's module has a class `Engine(order)` with `tasks(api)`, what makes the operator of each
task, in their order,
`rows(api)`, the index and text of each answer under the result's final name, and `file(api)`, the vendor's own
file where it leaves that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

MODEL = "gpt-5-mini"
ENDPOINT = "/v1/chat/completions"


def prompts(count: int) -> list[str]:
    """The batch's prompts."""
    return [f"Review {number}: does what it says." for number in range(count)]


def input_lines(count: int) -> str:
    """The batch's input file, JSON lines as the API takes them."""
    return "".join(
        json.dumps(
            {
                "custom_id": f"review-{index}",
                "method": "POST",
                "url": ENDPOINT,
                "body": {"model": MODEL, "messages": [{"role": "user", "content": prompt}]},
            }
        )
        + "\n"
        for index, prompt in enumerate(prompts(count))
    )


def rows_of(lines: Iterable[str]) -> list[tuple[int, str]]:
    """The index and text of each answer in the API's own result file; a line that is none is left out."""
    rows = []
    for line in lines:
        try:
            answer = json.loads(line)
            text = answer["response"]["body"]["choices"][0]["message"]["content"]
            rows.append((int(answer["custom_id"].rpartition("-")[2]), text))
        except (ValueError, KeyError, TypeError):
            continue
    return rows
