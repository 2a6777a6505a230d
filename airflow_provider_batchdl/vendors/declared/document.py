"""A vendor as a document: its parts, as types. See ``calls`` for those that are requests.

The docstrings are the reference: ``docs/declared-vendors.md`` and the JSON Schema are written from them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from airflow_provider_batchdl.vendors.checking import Member
from airflow_provider_batchdl.vendors.declared.calls import (
    BalanceCall,
    Call,
    CheckCall,
    FileSource,
    FindByEcho,
    FindByKey,
    FindByTime,
    HeaderName,
    ListCall,
    Part,
    Pointer,
    Pointers,
    QueryName,
    Step,
)
from airflow_provider_batchdl.vendors.files import FileRules
from airflow_provider_batchdl.vendors.words import END

State = Literal["pending", "running", "succeeded", "failed", "cancelled"]
HeaderForm = Literal["seconds", "milliseconds", "unix", "duration", "date"]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Status = Annotated[int, Meta(ge=100, le=599, description="HTTP status, from 100 to 599")]
Host = Annotated[str, Meta(pattern=rf"^[a-z0-9-]+(\.[a-z0-9-]+)+{END}", description="host's name like 'example.com'")]
# Members of a connection's extra of which one names the document.
MEMBERS = ("vendor", "vendor_file", "vendor_document")


class Bearer(Part, frozen=True, kw_only=True, tag_field="kind", tag="bearer"):
    """The password as a Bearer token in the ``Authorization`` header."""


class HeaderKey(Part, frozen=True, kw_only=True, tag_field="kind", tag="header"):
    """The password in a header of its own.

    Args:
        name: the header.
        prefix: text before the password.
    """

    name: HeaderName
    prefix: str = ""


class QueryKey(Part, frozen=True, kw_only=True, tag_field="kind", tag="query"):
    """The password in the query of every request.

    Args:
        name: the parameter.
    """

    name: QueryName


class Basic(Part, frozen=True, kw_only=True, tag_field="kind", tag="basic"):
    """Login and password by HTTP Basic authentication (RFC 7617); without a login, the password takes its place.

    What is sent as the login has no ``:`` in it, and neither of them a control character.
    """


class OAuth2(Part, frozen=True, kw_only=True, tag_field="kind", tag="oauth2"):
    """OAuth 2.0 client credentials (RFC 6749, section 4.4): the login is the client's id, the password its secret.

    Without a login, the password is an access token.

    Args:
        token_path: path of the token endpoint, at the origin of the connection's base URL.
        token_url: the token endpoint at another host, by https; may have ``{extra.NAME}`` in it. The connection's extra
            ``token_url`` replaces either, and must be there if the document is from a ``vendor_file``, or has neither.
        client_auth: where the client's id and secret go in the token request: ``body``, or ``basic`` for HTTP Basic.
        form: further fields of the token request, such as ``scope``, ``audience`` or another ``grant_type``.
        name: the header that the token goes into.
        prefix: text before it.
        base_url_pointer: pointer to the API's base URL in the token's answer.
        base_url_hosts: hosts, or ends of hosts, that this base URL may have besides the connection's own, like
            ``salesforce.com``. Not in a document that comes from a connection.
    """

    token_path: str | None = None
    token_url: str | None = None
    client_auth: Literal["body", "basic"] = "body"
    form: dict[str, str] = field(default_factory=dict)
    name: HeaderName = "Authorization"
    prefix: str = "Bearer "
    base_url_pointer: Pointer | None = None
    base_url_hosts: tuple[Host, ...] = ()


class ExtraMember(Part, frozen=True, kw_only=True):
    """A member of the connection's extra that holes can use as ``{extra.NAME}``.

    Args:
        description: a line for people.
        default: its value where the connection has none.
        required: true if a connection without it is refused.
        values: the only ones, if given.
        secret: true if it is to be hidden in logs and messages.
    """

    description: str = ""
    default: str | None = None
    required: bool = False
    values: tuple[str, ...] = ()
    secret: bool = False


class JobShape(Part, frozen=True, kw_only=True):
    """Places of the facts about a job in an answer. The pointers start at the job, see ``at`` and ``items``.

    Args:
        id: its id.
        state: the vendor's word for its state.
        state_missing: the word of ``[states]`` that a job without one means, as where ``false`` is left out.
        failed: finds something in a job that has failed, though its state counts as succeeded, as where all that have
            ended are ``DONE``: its error.
        message: the vendor's message about it.
        name: its name, or that of its file.
        progress: its progress, see ``progress_is``.
        progress_is: ``share`` for 0 to 1, ``percent`` for 0 to 100.
        done: records done so far.
        total: records altogether; with ``done``, they are the progress.
        created: when it was made.
        updated: when it last changed.
        id_is: ``whole`` for whole numbers, ``uuid`` for UUIDs: another id is refused before it is sent.
        id_optional: true if the answers to ``[status]`` and ``[cancel]`` may lack the id.
        id_header: a header of the submit's answer, like ``Location``, that has the id, or a URL as ``[status]`` has it,
            with the id in it. No other answer needs the id then, and the submit's needs no body.
    """

    id: Pointers = "/id"
    state: Pointers = "/status"
    state_missing: str | None = None
    failed: Pointers = ()
    message: Pointers = ()
    name: Pointers = ()
    progress: Pointers = ()
    progress_is: Literal["share", "percent"] = "share"
    done: Pointers = ()
    total: Pointers = ()
    created: Pointers = ()
    updated: Pointers = ()
    id_is: Literal["text", "whole", "uuid"] = "text"
    id_optional: bool = False
    id_header: HeaderName | None = None


ErrorKind = Literal[
    "authentication",
    "permission_denied",
    "job_not_found",
    "job_failed",
    "job_cancelled",
    "not_ready",
    "no_credits",
    "quota_exceeded",
    "rate_limited",
    "invalid_request",
    "unsupported",
    "unavailable",
    "unexpected",
]


class ErrorRule(Part, frozen=True, kw_only=True):
    """Meaning of an error, where its HTTP status does not say. Everything that is given must hold; the first rule wins.

    Args:
        kind: ``rate_limited`` and ``unavailable`` are retried, ``not_ready`` and ``unexpected`` by the task's retries;
            the others fail the task at once.
        status: HTTP statuses.
        codes: the error's code, one of these.
        words: any of these is in its code or message. Capitals, ``_`` and ``-`` do not count.
        operations: ``submit``, ``status``, ``list``, ``cancel``, ``download``, ``balance`` or ``check``.
        has: pointer to something that the body has.
    """

    kind: ErrorKind
    status: tuple[Status, ...] = ()
    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    operations: tuple[Literal["submit", "status", "list", "cancel", "download", "balance", "check"], ...] = ()
    has: Pointer | None = None


class Errors(Part, frozen=True, kw_only=True):
    """The vendor's errors. Their common shapes are read without it.

    Args:
        own: pointers of which each error of the vendor's own finds something: a refusal without is taken for a proxy's.
            Left out: those of message and code; without these, any JSON is the vendor's.
        message: pointers to the message.
        code: pointers to the code.
        within: pointers that find something in an answer of status 200 that is an error.
        if_false: pointers that find ``false`` in an answer of status 200 that is an error.
        rules: what errors mean.
    """

    own: Pointers = ()
    message: Pointers = ()
    code: Pointers = ()
    within: tuple[Pointer, ...] = ()
    if_false: tuple[Pointer, ...] = ()
    rules: tuple[ErrorRule, ...] = ()


class Document(Part, frozen=True, kw_only=True):
    """A vendor.

    Args:
        spec: the version of this format: 1.
        name: its name, in small letters, digits and ``_``.
        label: its name for people.
        docs_url: its documentation.
        base_url: the API's base URL, https; left out if each connection must name its own.
        auth: the place of a connection's credentials in a request.
        states: its words for a job's state, in any spelling; numbers as text. ``HTTP 202`` is the HTTP status of the
            answer to ``[status]``, which then needs no body: it is the state, whatever the answer says. A redirect
            with such a status is not followed.
        status: the request for one job.
        submit: the request that makes a job, or several steps.
        files: the result files, or one table for each kind.
        job: where the facts about a job are in an answer.
        list: the list of jobs; left out if there is none.
        cancel: the request that cancels a job; left out if it has none.
        find: how the job of a submit that got no response is found in the list.
        balance: the request for the credits left.
        check: the request that tests the credentials.
        errors: its errors.
        request: the members of a task's request, by name. Left out: nothing is checked.
        file: the files that it takes.
        extra: the members of a connection's extra, by name.
        headers: headers of all requests.
        poll_interval: seconds between polls of one job.
        rate_limits: limits of one account, as ``requests/seconds``: ``60/60``.
        reset_headers: response headers that say when a limit is over, each with its form.
        partial: its words for states in which a job that has not succeeded keeps partial results.
        zone: time zone of its times that name none.
        dates: how dates and times of a request are written: as they are, as days, or as moments.
        job_url: a job's page in the vendor's console, for the link in Airflow.
        secrets: pointers to values in answers that are to be hidden in logs and messages.
        tried: true if this document was tried against the service itself.
    """

    spec: Literal[1]
    name: str
    label: str
    docs_url: str
    auth: Bearer | HeaderKey | QueryKey | Basic | OAuth2
    states: dict[str, State]
    status: Call
    submit: Step | tuple[Step, ...]
    files: FileSource | tuple[FileSource, ...]
    base_url: str | None = None
    job: JobShape = JobShape()
    list: ListCall | None = None
    cancel: Call | None = None
    find: FindByKey | FindByEcho | FindByTime | None = None
    balance: BalanceCall | None = None
    check: CheckCall | None = None
    errors: Errors = Errors()
    request: dict[str, Member] | None = None
    file: FileRules | None = None
    extra: dict[str, ExtraMember] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    poll_interval: Seconds = 30.0
    rate_limits: tuple[str, ...] = ()
    reset_headers: dict[str, HeaderForm] = field(default_factory=dict)
    partial: tuple[str, ...] = ()
    zone: str = "UTC"
    dates: Literal["any", "days", "moments"] = "any"
    job_url: str | None = None
    secrets: tuple[Pointer, ...] = ()
    tried: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of a submit, one or several."""
        return (self.submit,) if isinstance(self.submit, Step) else self.submit

    @property
    def sources(self) -> tuple[FileSource, ...]:
        """The kinds of files, one or several."""
        return (self.files,) if isinstance(self.files, FileSource) else self.files
