"""Parsing of users' arguments: ids of connections and jobs, a request, a file. Each is read in one way everywhere.

A template renders to text, or, with ``render_template_as_native_obj``, to the Python value that the text looks like;
another task's output is what that task returned. So an id may be a number, a request JSON text, a file a
path object. What is none of these is refused, in one sentence that says what to do.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl._values.storable import half_character_in, is_storable_text, odd_number_in
from airflow_provider_batchdl.exceptions import InvalidRequestError

# Characters of a value in an error's message.
SHOWN, SHOWN_PLACE = 60, 200
# Of a job's id and of a file's address; signed URLs are the longest.
LONGEST = 4096
EMPTY = ("", "none", "null")
"""What None, or nothing, is rendered to."""
# None for a part, as in `None.csv`, `dt=None/` or `NoneT00:00Z`; neither in "None of them" nor in `x == None`.
_NONE = re.compile(r"(?<![A-Za-z0-9 {(])(?<![!=<>]=)None(?![A-SU-Za-z0-9 })])")
# What was meant for a template, as in `/data/{ds}.csv` and `/data/${params.day}.csv`.
_HALF_A_TEMPLATE = re.compile(
    r"(?<!\{)\{ ?((?:ds|ts)(?:_nodash)?|run_id|logical_date|data_interval_(?:start|end)"
    r"|(?:conf|dag|dag_run|params|task|ti|var)\.[\w.]+) ?\}(?!\})"
)
# A list, a dict or a tuple that was rendered to text; a UUID may stand in braces.
_LISTED = re.compile(r"\[.*\]|\{.*:.*\}|\(.*,.*\)", re.DOTALL)
UPSTREAM = (
    "Check what its template renders to, or what the task returned whose output it is: one that was skipped, or that "
    "returns nothing, gives None."
)


def refuse_unsendable(name: str, value: Any) -> None:
    """Refuse an argument with half a character or an odd number in it, with which Airflow itself would fail."""
    if isinstance(value, Mapping | list | tuple) and (where := odd_number_in(value)) is not None:
        raise InvalidRequestError(
            f"The {name} has NaN, an infinity or a whole number beyond 64 bits in it{_at(where)}, which Airflow can "
            "neither store nor send.",
            remedy="Leave it out, or give the number as text where the vendor takes that.",
        )
    if (where := half_character_in(value)) is not None:
        raise InvalidRequestError(
            f"The {name} has half a character (a lone surrogate) in it{_at(where)}, which Airflow can neither store "
            "nor send.",
            remedy="See what its template or the task upstream gives: an emoji that was cut in two, or bytes that are "
            "no UTF-8 and were read as text.",
        )


def refuse_half_a_template(name: str, value: Any) -> None:
    """Refuse a path with single braces around a name of Airflow's: each run would have the same."""
    if found := _HALF_A_TEMPLATE.search(str(value) if isinstance(value, str) or is_path(value) else ""):
        raise InvalidRequestError(
            f"The {name} has {found[0]!r} in it, which is no template and would stay as it is.",
            remedy=f"Write {{{{ {found[1]} }}}}; in an f-string, each of its braces twice.",
        )


def _at(where: str) -> str:
    return f" at {excerpt(where, SHOWN)}" if where else ""


def refuse_lost(name: str, written: Any, rendered: Any) -> None:
    """Refuse an argument whose template, or upstream task, gave nothing, or None for a part of a text.

    The task would do something else without it, or lead elsewhere.
    """
    is_text = isinstance(rendered, str)
    if rendered == written:
        return
    if rendered is None:
        what = "None"
    elif is_text and rendered.strip().lower() in EMPTY:
        what = f"the text {rendered.strip()!r}" if rendered.strip() else "an empty text"
    elif is_text and _gains_none(written, rendered):
        what = f"{excerpt(rendered, SHOWN_PLACE)!r}, with None for a part of it"
    elif is_text and isinstance(written, str) and _begins_with_suffix(rendered) > _begins_with_suffix(written):
        what = f"{excerpt(rendered, SHOWN_PLACE)!r}, with nothing before the suffix"
    else:
        return
    raise InvalidRequestError(f"The {name} rendered to {what}.", remedy=UPSTREAM)


def _begins_with_suffix(text: str) -> bool:
    return text.rpartition("/")[2].startswith(".")


def _gains_none(written: Any, rendered: str) -> bool:
    return len(_NONE.findall(rendered)) > len(_NONE.findall(str(written)))


def refuse_lost_members(name: str, written: Any, rendered: Any) -> None:
    """Refuse an argument in which a template gave the text ``None``, which a vendor would take for a name or an id."""
    if isinstance(written, str) and isinstance(rendered, str):
        if "{" in written and rendered.strip() == "None":
            raise InvalidRequestError(f"The {name} rendered to the text 'None'.", remedy=UPSTREAM)
        if "{" in written and _gains_none(written, rendered):  # without the text, which may be somebody's address
            raise InvalidRequestError(f"The {name} rendered to a text with None for a part of it.", remedy=UPSTREAM)
    elif isinstance(written, Mapping) and isinstance(rendered, Mapping):
        for key in written.keys() & rendered.keys():
            refuse_lost_members(f"{name}[{excerpt(repr(key), SHOWN)}]", written[key], rendered[key])
    elif isinstance(written, list | tuple) and isinstance(rendered, list | tuple):
        for number, (before, after) in enumerate(zip(written, rendered, strict=False)):
            refuse_lost_members(f"{name}[{number}]", before, after)


def refuse_template(name: str, text: str) -> None:
    """Refuse a template in what was rendered, or is not rendered: a variable or XCom may have given one."""
    if "{{" in text:
        raise InvalidRequestError(
            f"The {name} has a template in it, {excerpt(text, SHOWN)!r}, which is not rendered there.",
            remedy="Airflow renders the task's own arguments, once: check the variable or XCom that the text is from.",
        )


def parse_job_id(value: Any) -> str:
    """A job's id as text: numbers are written out, blanks around it dropped."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _no_job_id(value)
    refuse_template("job_id", value)
    text = _whole("job_id", value.strip())
    if text.lower() in EMPTY:
        raise InvalidRequestError(f"The job_id is {value!r}, which is no job's.", remedy=UPSTREAM)
    if _LISTED.fullmatch(text):
        raise InvalidRequestError(
            f"The job_id is the text {excerpt(text, SHOWN)!r} of a list or a dict, and an id is one text.",
            remedy=(
                "Take the other task's .output instead of a template: .expand(job_id=…) makes one task for each id of "
                "a list, and ….output['id'] is the one of a job's dict."
            ),
        )
    return text


def _no_job_id(value: Any) -> InvalidRequestError:
    what, remedy = f"{excerpt(repr(value), SHOWN)}, and an id is one text", UPSTREAM
    if value is None:
        is_what = "None, which is no job's"
    elif isinstance(value, Mapping):
        is_what = f"a dict, {what}"
        remedy = f"Give its id: ….output[{'job_id' if 'job_id' in value and 'id' not in value else 'id'!r}]."
    elif _is_list(value):
        is_what = f"a list of {len(value)}, {what}"
        remedy = "Map the task over it: .expand(job_id=…) makes one task for each id."
    elif isinstance(value, float):
        is_what = f"the number {excerpt(repr(value), SHOWN)}: native rendering has read the id as one, and it is lost"
        remedy = "Take it as the other task's .output, or render this task without render_template_as_native_obj."
    else:
        is_what = f"{kind_of(value)}, {what}"
    return InvalidRequestError(f"The job_id is {is_what}.", remedy=remedy)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes | bytearray)


def parse_conn_id(value: Any) -> str:
    """A connection's id as text: numbers are written out."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.strip().lower() not in EMPTY:
        refuse_template("conn_id", value)
        return value
    shown = excerpt(repr(value), SHOWN)
    raise InvalidRequestError(f"The conn_id is {shown}, which is no connection's.", remedy=UPSTREAM)


def parse_request(value: Any) -> dict[str, Any]:
    """A request as a dict, empty for None; JSON text is read, other sequences and mappings become lists and dicts."""
    if value is None:
        return {}
    if isinstance(value, str):
        value = _read_request(value)
    if not isinstance(value, Mapping):
        raise _no_request(value)
    if odd := next((name for name in value if not isinstance(name, str)), None):
        raise InvalidRequestError(
            f"The request has the member {excerpt(repr(odd), SHOWN)}, and names of members are text.",
            remedy="Write the task's request as a dict with texts for keys.",
        )
    try:
        return {name: _plain(member) for name, member in value.items()}
    except RecursionError:
        raise InvalidRequestError("The request is nested too deeply, or holds itself.") from None


def _read_request(text: str) -> Any:
    if text.strip().lower() in EMPTY:
        raise InvalidRequestError(f"The request is the text {text!r}.", remedy=UPSTREAM)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequestError(
            f"The request is a text of {len(text):,} characters that is no JSON: a template renders to text.",
            remedy=(
                "Give the other task's .output instead of a template, set render_template_as_native_obj=True, or put "
                "the template's value through `| tojson`."
            ),
        ) from None


def _no_request(value: Any) -> InvalidRequestError:
    remedy = (
        "Map the task over a list of requests: .expand(request=[…]) makes one task for each; a dict is no such list."
        if _is_list(value)
        else "See the vendor's section in the documentation for what it takes."
    )
    # Not its items: they may be people's addresses.
    return InvalidRequestError(f"The request is {kind_of(value)}, and a request is a dict.", remedy=remedy)


def _plain(value: Any) -> Any:
    """``value`` with lists for the sequences that Airflow and others have of their own, and dicts for mappings."""
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview):
        return [_plain(item) for item in value]
    return value


def parse_file(value: Any) -> str | None:
    """A file's path or URL as text; None for None."""
    if value is None:
        return None
    if is_path(value):
        return str(value)
    if isinstance(value, str):
        if value.strip().lower() in EMPTY:
            raise InvalidRequestError(f"The file is the text {value!r}, which is no path.", remedy=UPSTREAM)
        refuse_template("file", value)
        return _whole("file", value)
    remedy = "Give a path or a URL, as text, pathlib.Path or ObjectStoragePath."
    if isinstance(value, Mapping) and "files" in value:
        remedy = "Of what a download returns, give the file's address: ….output['files'][0]['uri']."
    elif _is_list(value):
        remedy = "Map the task over it: .expand(file=…) makes one task for each file."
    raise InvalidRequestError(f"The file is {kind_of(value)}, and a file is one path or URL.", remedy=remedy)


def _whole(name: str, text: str) -> str:
    if len(text) <= LONGEST and is_storable_text(text):
        return text
    raise InvalidRequestError(
        f"The {name} is a text of {len(text):,} characters, {excerpt(repr(text), SHOWN)}, which is longer than "
        f"{LONGEST:,} or has half a character or a zero in it.",
        remedy=UPSTREAM,
    )


def is_path(value: Any) -> bool:
    """True for a path object, ``ObjectStoragePath`` among them, whose import needs all of fsspec."""
    return isinstance(value, os.PathLike) or (hasattr(value, "storage_options") and hasattr(value, "protocol"))


def kind_of(value: Any) -> str:
    """The kind of a value that is refused, without the value: it may be somebody's data."""
    return f"of type {type(value).__name__}"
