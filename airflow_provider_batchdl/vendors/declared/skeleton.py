"""A commented document to start from; it is one that can be used."""

from __future__ import annotations

_TEXT = """\
# A vendor for connections of type "batchapi". Replace what stands here by what the API's documentation says, with the
# source of each fact in a comment, and run `airflow batchdl vendor check` on this file after each change.
spec = 1
name = "{name}"
label = "{label}"
docs_url = "https://docs.example.com"
base_url = "https://api.example.com/v1"
poll_interval = 30           # seconds between polls of one job
rate_limits = ["60/60"]      # requests/seconds, for everything that one account does
# tried = true               # once it has run against the service itself

[auth]                       # where a request has the connection's password
kind = "bearer"              # or: header (name, prefix), query (name), basic, oauth2 (token_path)

# [extra.region]             # members of the connection's extra, used as {{extra.region}}
# required = true
# description = "The region of the account, eu or us."

[submit]                     # several steps are written as [[submit]], with keep = {{ name = "/pointer" }}
path = "/batches"            # the task's request is sent as JSON
json = {{ tag = "{{key}}" }}     # members that are added to it; {{key}} is different for each submit
# upload = "file"            # the form field of the task's file, instead of JSON

[status]
path = "/batches/{{job.id}}"
# at = "/data"               # where in the answer the job is

[job]                        # JSON pointers, from where the job is
id = "/id"
state = "/status"
message = "/error/message"
# done = "/counts/done"
# total = "/counts/total"
created = "/created_at"

[states]                     # the API's words; others count as running
queued = "pending"
running = "running"
completed = "succeeded"
failed = "failed"
cancelled = "cancelled"

[list]                       # leave it out if the API has none
path = "/batches"
items = "/data"
paging = {{ kind = "cursor", next = "/next_cursor", param = "cursor" }}   # or: pages, link, header

[find]                       # how the job of a lost answer is found in that list, so that it is not paid for twice
kind = "key"
pointer = "/tag"

[cancel]
method = "POST"
path = "/batches/{{job.id}}/cancel"

[files]                      # one table for each kind is written as [[files]]
path = "/batches/{{job.id}}/result"
format = "csv"
# id = "/output_file_id"     # then {{file.id}} in the path
# link = "/result_url"       # a signed link in the answer; followed without credentials

[errors]
message = "/error/message"
code = "/error/code"
rules = [
    {{ codes = ["insufficient_quota"], kind = "quota_exceeded" }},
]
"""


def skeleton(name: str) -> str:
    """The text of a document called ``name``.

    Args:
        name: small letters, digits and ``_``.
    """
    return _TEXT.format(name=name, label=name.replace("_", " ").title())
