"""Content to draw from: JSON documents, tables, web pages, and ways to cut them."""

from __future__ import annotations

import csv
import io
from typing import Any

from hypothesis import strategies as st

# A half surrogate is no character: msgspec refuses what `json` writes of it.
texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=30,
)
documents = st.lists(values, max_size=6) | st.dictionaries(texts, values, max_size=6)
sizes = st.lists(st.integers(0, 9), max_size=60)
cells = st.text(st.sampled_from('ab ,;|\t"\r\n\x85é') | st.characters(exclude_categories=["Cs"]), max_size=8)
PAGES = [
    b"<!doctype HTML><p>",
    b" \n<html lang=en>" + b"x" * 5000,
    b"<!-- a comment -->\n<head><title>Sign in</title>",
    b"<body class=x>Sign in",
    b"<html><body>" + b" " * 10_000,
    "\ufeff<html><p>".encode("utf-16-le"),
    b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
    b"<Error>\n  <Code>NoSuchKey</Code>",
    b"<center><h1>502 Bad Gateway</h1></center>",
    b"<Error xmlns='x'><RequestId>1</RequestId><Message>gone</Message></Error>",
    b"<ErrorResponse><Error><Type>Sender</Type><Code>x</Code></Error></ErrorResponse>",
    b"<meta charset=utf-8><title>Sign in</title>",
    b"<meta http-equiv='refresh' content='0; url=/login'>",
    b"<script>location='/login'</script>",
    b"<style>body {color: red}</style><p>Sign in",
    b"<noscript>Enable JavaScript</noscript>",
    b"<h2>502 Bad Gateway</h2>",
    b"<title>\n  Sign in\n</title>",
    b"<h1><b>Sign in</b></h1>",
    b"<p>The service is down.</p>",
    b"<div class='x'>Sign in, please; or go away</div>",
    b"<br />\n<b>Fatal error</b>:  Uncaught PDOException in <b>/srv/export.php</b> on line <b>12</b><br />",
    b"<pre>Traceback (most recent call last):</pre>",
    b"<?xml version='1.0'?><s:Envelope xmlns:s='x'><s:Header/><s:Body><s:Fault><faultcode>x</faultcode></s:Fault>",
    b"<m:error xmlns:m='x'><m:code/><m:message xml:lang='en'>no such thing</m:message></m:error>",
    b"<am:fault xmlns:am='x'><am:code>900901</am:code><am:type>Status report</am:type></am:fault>",
    b"<Response><Errors><Error><Code>x</Code><Message>gone</Message></Error></Errors></Response>",
    b"<?xml version='1.0'?>\n<Error>Job not found</Error>\n",
    b"<Map><timestamp>1</timestamp><status>404</status></Map>",
    b'<a href="https://example.com/login">Found</a>.\n\n',
    b"<form method=post action='/login'><input name=u></form>",
    b"<b>Fatal error</b>: Uncaught Exception in /srv/export.php:3",
    b"<span class=x>Not found</span>",
    b"<table border=1><tr><td>Access denied</td></tr></table>",
    b"<iframe src='/login'></iframe>",
    b"Not Found",
    b"404 page not found\n",
    b"HTTP Error 503: Service Unavailable",
    b"no healthy upstream",
    b"upstream connect error or disconnect/reset before headers. reset reason: overflow",
    b"error code: 1020",
    b"<!-- " + b"a comment " * 500 + b"-->\n<html>",
    "<!doctype html><p>Sign in".encode("utf-16-le"),
    "\r\n<html><p>Sign in".encode("utf-16-be"),
    "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>".encode("utf-16-be"),
    b'"Not found"',
    b'"Internal Server Error"\n',
    b"<html>\n\t<p>",
    b"<SOAP-ENV:Envelope xmlns:SOAP-ENV='x'><SOAP-ENV:Body><SOAP-ENV:Fault><faultcode>x</faultcode></SOAP-ENV:Fault>",
    b"<Envelope xmlns='x'><Body id='1'><Fault><faultcode>x</faultcode><faultstring>no</faultstring></Fault>",
    b"<?xml version='1.0'?>\n<problem xmlns='urn:ietf:rfc:7807'><title>Gone</title><status>410</status></problem>",
    b"<LinkedHashMap><timestamp>1</timestamp><status>404</status></LinkedHashMap>",
    b"<?xml version='1.0'?>\n<hash>\n  <error>no such export</error>\n</hash>\n",
    b"<?xml version='1.0'?>\n<root><detail>Not found.</detail></root>",
    b"<error><status>404</status><reason>no such export</reason></error>",
    b"<ows:ExceptionReport xmlns:ows='x'><ows:Exception exceptionCode='x'/></ows:ExceptionReport>",
    b"No input file specified.\n",
    b"Rate limit exceeded",
    b"Bad Request: missing id",
    b"404 Not Found: there is no such job.\n",
    b"<main class=x>\n <h2>Sign in</h2></main>",
    b"<main>Please sign in.</main>\n",
    b"<section class=x><h1>Sign in</h1></section>",
    b"<article><p>Gone</p></article>",
    b"<TrackingError><Code>404</Code><Message>gone</Message></TrackingError>",
    b"<?xml version='1.0'?><ns2:ServiceError xmlns:ns2='x'><errorCode>5</errorCode></ns2:ServiceError>",
    b"Endpoint request timed out",
    b"HTTP/1.1 404 Not Found\r\n\r\n",
    b'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nKeyError: 5\n',
    b"PHP Fatal error:  Uncaught PDOException in /srv/export.php:3\nStack trace:\n#0 {main}\n",
]
OTHER_XML = [
    b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    b"<?xml version='1.0'?>\n<!-- Made by hand -->\n<svg:svg width='1'>",
    b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN">',
    b"<rss version='2.0'><channel>",
    b"<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'>",
    b"<svg>\n  <path d='M0 0'/>\n</svg>",
]
"""In the place of text that is no XML, a page, too."""
NO_PAGES = [
    b"",
    b"<",
    b"<?xml version='1.0'?><report/>",
    b"<errors/>",
    b"<?xml version='1.0'?><error-log><entry><code>5</code></entry></error-log>",
    b"<error/>",
    b"<error>5</error>",
    b"anything",
    b"a <html> in the text",
    bytes(9),
    b"<headline>,<body>\n1,2\n",
    b"<error>,<code>\n1,2\n",
    b"<title>,<author>\n1,2\n",
    b"<body>,<head>\n1,2\n",
    b"<html5>\n1\n",
    b"<html>,b\n1,2\n",
    b"<html>\n1\n",
    b"<svg>\n1\n",
    b"<html>\tb\n1\t2\n",
    b'"<html>",b\n1,2\n',
    b"<svg>,<rss>\n1,2\n",
    b"<!-- ,b\n1,2\n",
    b"<!-- " + b"a comment " * 500 + b"-->\n<report/>",
    b'"not found"\n"x"\n',
    b"<p>,<div>\n1,2\n",
    b"<p>;<b>\n1;2\n",
    b"<script>\n1\n",
    b"<meta>|<link>\n",
    b"<param>\n<value>\n",
    b"<description>\ntext <b>\n",
    b"<soap:Envelope xmlns:soap='x'><soap:Body><rows><code>5</code></rows></soap:Body></soap:Envelope>",
    b"<response><rows><error><code>5</code></error></rows></response>",
    b"<m:errors xmlns:m='x'/>",
    b"<b>name</b>,<i>city</i>\n1,2\n",
    b"<b>\n<span>\n",
    b"<table><row>5</row></table>",
    b"<form>,<iframe>\n1,2\n",
    b"<message>5</message>",
    b"Not Found\n1\n",
    b"Bad Request: missing,id\n",
    b"Not Found: 5\n1\n",
    b"Forbidden: ",
    b"<main>5</main>",
    b"<main><row>5</row></main>",
    b"<main>,<nav>\n1,2\n",
    b"<section>,<h1>\n1,2\n",
    b"<section><row>5</row></section>",
    b"<RoundingError>5</RoundingError>",
    b"<TypeErrors><Code>5</Code></TypeErrors>",
    b"error code: 1020,1021\n",
    b"email not found\n",
    b"<problem><title>Gone</title></problem>",
    b"<hash><row>5</row></hash>",
    b"<root><detail>5</detail><detail>6</detail></root>",
    b"<soap-env:Envelope xmlns:soap-env='x'><soap-env:Body><rows><code>5</code></rows></soap-env:Body>",
    b"Rate limit exceeded,status\n1,2\n",
    b"traceback,line\n1,2\n",
]


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(1, 5))
    body = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6))
    return [[f"column {number}" for number in range(width)], *body]


def as_csv(rows: list[list[str]], **dialect: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")
