"""Every kind of paging, and what an answer may not do to it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.vendors.declared import Declared
from airflow_provider_batchdl.vendors.listing import is_listed
from tests.vendors.declared.documents import SMALLEST, answer, changed, drive, vendor_of


def lister(paging: dict[str, Any] | None, **members: Any) -> Declared:
    call = {"path": "/batches", "items": "/data", **({"paging": paging} if paging else {}), **members}
    return vendor_of(changed(list=call))


def page(*ids: int, **more: Any) -> dict[str, Any]:
    return {"data": [{"id": each, "status": "busy"} for each in ids], **more}


def asked(vendor: Declared, *answers: httpx.Response) -> tuple[list[str], list[Any]]:
    """The ids that are listed, and the query or the URL of each request."""
    jobs, requests = drive(vendor.list_jobs(), answers)
    return [job.id for job in jobs], [each.url or dict(each.params or {}) for each in requests]


def test_one_page() -> None:
    assert asked(lister(None), answer(page(1, 2))) == (["1", "2"], [{}])


def test_a_cursor() -> None:
    acme = lister({"kind": "cursor", "next": "/next", "more": "/more", "param": "after"}, params={"limit": "2"})
    answers = [answer(page(1, next="x", more=True)), answer(page(2, next="y", more=False))]
    assert asked(acme, *answers) == (["1", "2"], [{"limit": "2"}, {"limit": "2", "after": "x"}])


def test_a_cursor_in_the_body() -> None:
    acme = lister({"kind": "cursor", "next": "/next"}, method="POST", json={"query": "{ jobs }", "after": "{cursor}"})
    _, requests = drive(acme.list_jobs(), [answer(page(1, next="x")), answer(page(2))])
    assert [each.json for each in requests] == [{"query": "{ jobs }"}, {"query": "{ jobs }", "after": "x"}]


def test_more_is_announced_and_cannot_be_had() -> None:
    acme = lister({"kind": "cursor", "next": "/next", "more": "/more", "param": "after"})
    found, _ = drive(acme.list_page(), [answer(page(1, more=True))])
    assert (found.following, found.whole) == (None, False)


def test_pages_by_number() -> None:
    acme = lister({"kind": "pages", "total": "/pages"})
    answers = [answer(page(1, pages=2)), answer(page(2, pages=2))]
    assert asked(acme, *answers) == (["1", "2"], [{"page": "1"}, {"page": "2"}])
    acme = lister({"kind": "pages", "param": "p", "first": 0})
    assert asked(acme, answer(page(1)), answer(page())) == (["1"], [{"p": "0"}, {"p": "1"}])


def test_pages_by_what_comes_before_them() -> None:
    acme = lister({"kind": "offset", "total": "/total"}, params={"limit": "3"})
    answers = [answer(page(1, 2, total=3)), answer(page(3, total=3))]  # the server's own limit is two
    assert asked(acme, *answers) == (["1", "2", "3"], [{"limit": "3"}, {"limit": "3", "offset": "2"}])
    acme = lister({"kind": "offset", "param": "skip"})
    assert asked(acme, answer(page(1)), answer(page())) == (["1"], [{}, {"skip": "1"}])
    found, _ = drive(lister({"kind": "offset", "total": "/total"}).list_page("1"), [answer(page(total=3))])
    assert (found.following, found.whole) == (None, False)


def test_a_job_is_not_looked_for_on_the_same_page_again_and_again() -> None:
    """As of an API that ignores the parameter that the document names."""
    acme = lister({"kind": "pages"})
    assert drive(is_listed(acme, "7"), [answer(page(1, 2))] * 2)[0] is True
    assert drive(is_listed(acme, "2"), [answer(page(1, 2))])[0] is True


def test_a_page_without_news_is_the_last() -> None:
    acme = lister({"kind": "cursor", "next": "/next", "param": "after"})
    assert asked(acme, answer(page(1, next="x")), answer(page(1, next="x")))[0] == ["1"]


def test_a_header() -> None:
    acme = lister({"kind": "header", "name": "Next-Page", "param": "page"})
    assert asked(acme, answer(page(1), Next_Page="x"), answer(page(2), Next_Page="null"))[1] == [{}, {"page": "x"}]


@pytest.mark.parametrize("link", ["https://api.acme.example/batches?p=2", "/batches?p=2", "?p=2", "batches?p=2"])
def test_a_link(link: str) -> None:
    there = "https://api.acme.example/batches?p=2"
    in_body = lister({"kind": "link", "next": "/links/next"})
    assert asked(in_body, answer(page(1, links={"next": link})), answer(page(2))) == (["1", "2"], [{}, there])
    in_header = lister({"kind": "link"})
    assert asked(in_header, answer(page(1), Link=f'<{link}>; rel="next"'), answer(page(2)))[1] == [{}, there]


@pytest.mark.parametrize(
    "link", ["https://evil.example/batches", "http://api.acme.example/batches", "//evil.example/x"]
)
def test_a_link_elsewhere_is_not_followed_with_the_credentials(link: str) -> None:
    acme = lister({"kind": "link", "next": "/next"})
    found, requests = drive(acme.list_page(), [answer(page(1, next=link))])
    assert (found.following, found.whole, len(requests)) == (None, False, 1)


def test_an_item_that_cannot_be_read_is_left_out_and_said() -> None:
    found, _ = drive(lister(None).list_page(), [answer({"data": [{"id": 1, "status": "busy"}, {"id": None}]})])
    assert ([each.job.id for each in found.jobs], found.whole) == (["1"], False)


def test_times_of_the_list() -> None:
    acme = vendor_of(changed(list={"path": "/b", "items": ""}, job={"created": "/at"}, zone="Europe/Berlin"))
    found, _ = drive(acme.list_page(), [answer([{"id": 1, "status": "busy", "at": "2026-07-01 12:00:00"}])])
    assert str(found.jobs[0].created) == "2026-07-01 10:00:00+00:00"
    assert SMALLEST.get("list") is None
