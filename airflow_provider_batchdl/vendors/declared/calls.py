"""The parts of a vendor's document that are requests, and what is in their answers: lists, files, a lost job.

The docstrings are the reference: ``docs/declared-vendors.md`` and the JSON Schema are written from them.
"""

from __future__ import annotations

from inspect import get_annotations
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, convert

from airflow_provider_batchdl.vendors.words import END

# The description of a pattern is what an error says a text is not.
_POINTER: dict[str, Any] = {
    "pattern": rf"^(?!.*\[[0-9*]*\])(/([^~/]|~[01])*)*{END}",
    "description": "JSON pointer like '/data/id', or '/data/0/id' through a list",
}
Pointer = Annotated[str, Meta(max_length=500, **_POINTER)]
# With a pattern that msgspec itself knows, its union with a list is freed twice (0.22): `Part` checks it instead.
Pointers = Annotated[str, Meta(max_length=500, extra_json_schema=_POINTER)] | tuple[Pointer, ...]
"""One RFC 6901 pointer (section 3), or several of which the first that finds something counts."""

HeaderName = Annotated[
    str, Meta(pattern=f"^[A-Za-z0-9!#$%&'*+.^_`|~-]{{1,100}}{END}", description="header's name like 'X-Name'")
]
QueryName = Annotated[
    str,
    Meta(
        pattern=rf"^[^\s&=?#%]{{1,100}}{END}",
        description="query parameter's name, without blanks, '&', '=', '?' and '%'",
    ),
]
FieldName = Annotated[str, Meta(pattern=r"\S", description="form field's name")]
Format = Annotated[
    str, Meta(pattern=f"^[a-z0-9]{{1,20}}{END}", description="format like 'csv', in small letters and without '.'")
]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Part(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every part of a document: a member that it does not know is an error."""

    def __post_init__(self) -> None:
        for name, kind in get_annotations(type(self)).items():
            if kind.startswith("Pointers") and isinstance(value := getattr(self, name), str):
                convert(value, Pointer)


class Call(Part, frozen=True, kw_only=True):
    """One request to the vendor.

    Args:
        path: what follows the base URL; begins with ``/``. Values in holes are escaped, each to one segment; one in
            ``{+job.id}`` may be several (``operations/7``), none of them empty, ``.`` or ``..``.
        method: the HTTP method.
        params: query parameters; one whose hole has no value is left out.
        headers: headers of this request alone.
        json: the body, as JSON. A text that is one hole becomes its value, of the value's own type; a member whose hole
            has no value is left out.
        form: the body, as the fields of a form.
        at: where in the answer the job is. The pointers of ``[job]`` start there.
    """

    path: str
    method: Method = "GET"
    params: dict[str, str] = {}
    headers: dict[str, str] = {}
    json: Any = None
    form: dict[str, str] = {}
    at: Pointer = ""


class Step(Call, frozen=True, kw_only=True):
    """One request of a submit. Several are written as ``[[submit]]``, in their order; the last one's answer is the job.

    Members of ``params``, ``json`` and ``form`` without a hole are defaults, which a member of the task's request
    replaces; those with a hole are set.

    Args:
        method: the HTTP method.
        request: where the task's request goes: ``json``, ``params``, ``form``, or ``none`` (then holes take what they
            name out of it). Left out: ``json`` for the last step if it uploads no file, else ``none``.
        upload: the form field of the file that the task names; the body is then ``multipart/form-data``, with the
            fields of ``form`` beside the file. An empty text: the file is the whole body.
        keep: values for later steps, each a name and its pointer into this step's answer; used as ``{step.NAME}``.
        when: ``file``: only for a task with a file; ``no-file``: only for one without.
        repeatable: true if sending it twice makes no second job, as with ``{key}`` in an ``Idempotency-Key``. Left out:
            true for all steps but the last. If it is true for all, sending again finds the job of a lost answer.
    """

    method: Method = "POST"
    request: Literal["json", "params", "form", "none"] | None = None
    upload: str | None = None
    keep: dict[str, Pointer] = {}
    when: Literal["file", "no-file"] | None = None
    repeatable: bool | None = None


class Cursor(Part, frozen=True, kw_only=True, tag_field="kind", tag="cursor"):
    """Pages of a list by a cursor in the answer.

    Args:
        next: pointer to the cursor of the next page.
        more: pointer to a value that is false on the last page. Left out: the last page has no cursor.
        param: the query parameter that takes the cursor; or use ``{cursor}`` in the ``json`` of ``[list]``.
        alone: true if the request of a next page has no other parameter.
    """

    next: Pointers
    more: Pointer | None = None
    param: QueryName | None = None
    alone: bool = False


class Pages(Part, frozen=True, kw_only=True, tag_field="kind", tag="pages"):
    """Pages of a list by their number.

    Args:
        param: the query parameter that takes the number.
        total: pointer to the number of pages. Left out: a page without items is the last.
        first: the first page's number.
    """

    param: QueryName = "page"
    total: Pointer | None = None
    first: Annotated[int, Meta(ge=0, le=10**9, description="page's number, from 0")] = 1


class Offset(Part, frozen=True, kw_only=True, tag_field="kind", tag="offset"):
    """Pages of a list by how many jobs come before them.

    Args:
        param: the query parameter that takes that number.
        total: pointer to the number of jobs. Left out: a page without items is the last.
    """

    param: QueryName = "offset"
    total: Pointer | None = None


class Link(Part, frozen=True, kw_only=True, tag_field="kind", tag="link"):
    """Pages of a list by a link to the next one, which must be at the connection's origin.

    Args:
        next: pointer to the link in the answer. Left out: the ``Link`` header with ``rel="next"`` (RFC 8288).
    """

    next: Pointers | None = None


class Header(Part, frozen=True, kw_only=True, tag_field="kind", tag="header"):
    """Pages of a list by a cursor in a response header.

    Args:
        name: the header; missing, empty or ``null`` on the last page.
        param: the query parameter that takes the cursor.
    """

    name: HeaderName
    param: QueryName


class ListCall(Call, frozen=True, kw_only=True):
    """The vendor's list of jobs.

    Args:
        items: pointer to the list in the answer.
        paging: how its pages follow each other; left out if one answer has all.
        newest_first: true if the vendor documents that order.
        complete: true if every job is in it within minutes and stays for days in any state: then one that is not there
            was not made.
        active_only: true if jobs that have ended are not in it, and all others are in one answer.
    """

    items: Pointer
    paging: Cursor | Pages | Offset | Link | Header | None = None
    newest_first: bool = False
    complete: bool = False
    active_only: bool = False


class FindByKey(Part, frozen=True, kw_only=True, tag_field="kind", tag="key"):
    """A job whose submit got no response is found by the key that the submit sent: ``{key}``, or in the file's name.

    Args:
        pointer: where an item of the list has the key.
        contains: true if the text there only contains it, like a file's name.
    """

    pointer: Pointers
    contains: bool = False


class FindByEcho(Part, frozen=True, kw_only=True, tag_field="kind", tag="echo"):
    """A job whose submit got no response is found by its request, which the list repeats, and by its time.

    Args:
        pointer: where an item of the list has the request; empty if the item itself has its members.
        members: the members of the request, if the item has others. Left out: those of ``[request]``.
    """

    pointer: Pointer = ""
    members: tuple[str, ...] = ()


class FindByTime(Part, frozen=True, kw_only=True, tag_field="kind", tag="time"):
    """For a list that shows neither key nor request: each job made since the submit may be the one that it made.

    Then the task fails and says so. If the list is ``complete`` and shows none, no job was made, and the retry submits.
    """


class BalanceCall(Call, frozen=True, kw_only=True):
    """The account's balance.

    Args:
        credits: pointer to the number of credits left.
    """

    credits: Pointers


class CheckCall(Call, frozen=True, kw_only=True):
    """The cheapest request that needs the credentials, for the Test button. Left out: the balance, else the list.

    Args:
        expect: pointer to something that the answer must have.
    """

    expect: Pointer = ""


class FileSource(Part, frozen=True, kw_only=True):
    """Places of the result files of one kind in an answer, and the download of each.

    Without ``items``, ``id`` and ``link`` every job with results has one file of this kind, at ``path``.

    Args:
        kind: ``result``, or another word for files that land beside the results.
        path: the request that is answered with the file, or with a redirect to it; ``{file.id}`` is the file's id.
        method: its HTTP method.
        params: its query parameters.
        headers: its headers.
        json: its body, as JSON.
        form: its body, as the fields of a form.
        items: pointer to a list of files, in the job's answer or in that of ``call``; the next four pointers start at
            each of its items.
        id: pointer to the file's id; where it is null, there is no such file. Left out for items: their places tell
            them apart.
        size: pointer to its size in bytes.
        part: pointer to its number among several.
        link: pointer to a link to the file, which is followed without credentials, unless it leads to the connection's
            origin. The answer that has it is asked for again whenever the link is refused: that of ``path`` if there is
            one, else of ``call``, else the job's. Where the pointer finds nothing, there is no such file.
        link_header: a header of the answer to ``[status]`` that has the link, instead of ``link``: ``Location``.
        call: a further request, made for a job with results, whose answer names the files.
        name: the file's name. Besides holes, it takes pointers into the job's answer: ``{job.id}.{/output_format}``.
        format: ``csv``, ``json``, ``jsonl``, ``parquet``, …, if all files have it. Left out: the suffix of the file's
            name or of the job's, if that is one of these.
        next_header: a response header of a page of the file that names the next page; missing, empty or ``null`` on the
            last.
        next_param: the query parameter that takes it.
    """

    kind: str = "result"
    path: str | None = None
    method: Method = "GET"
    params: dict[str, str] = {}
    headers: dict[str, str] = {}
    json: Any = None
    form: dict[str, str] = {}
    items: Pointer | None = None
    id: Pointers | None = None
    size: Pointer | None = None
    part: Pointer | None = None
    link: Pointers | None = None
    link_header: HeaderName | None = None
    call: Call | None = None
    name: str | None = None
    format: Format | None = None
    next_header: HeaderName | None = None
    next_param: QueryName | None = None
