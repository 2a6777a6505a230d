"""The first bytes of a file: a page or an error message in the result's place, or text, or a table."""

from __future__ import annotations

import json
import re
import zlib

from airflow_provider_batchdl.client.inflating import MEMBERS
from airflow_provider_batchdl.exceptions import UnexpectedResponseError
from airflow_provider_batchdl.transfer.content.base import BOM
from airflow_provider_batchdl.transfer.content.formats import Format, by_magic

HEAD = 4096
"""Bytes in which it shows whether they may be those of a format."""
SMALL = 64 << 10
"""Bytes in which a page or a store's error message shows, behind a comment too; and the largest whole file that is
parsed whatever it is called, since it may be an error object."""

# Possessive: there is one way to read comments, or some dozens of them would be read in billions.
_PROLOGUE = rb"(?is)\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?:(?!-->).)*+-->\s*+)*+"
# `<headline>` may be the header of a CSV, and `<body>` or `<p>` too: a page has more of them.
_PAGE = re.compile(
    _PROLOGUE + rb"<(?:!doctype\s+html\b|html(?=\s|>\s*(?:<|\Z)|>[^\s,;|])|head(?:\s[^>]*)?>\s*<"
    rb"|body(?:\s[^>]*)?>\s*[^\s,;\t|]|(?:title|h1|center)(?:\s[^>]*)?>[^,;\t|]{0,200}?<"
    rb"|(?:h[2-6]|p|pre|div|br)(?:\s[^>]*)?>[^,;\t|<][^\r\n<]{0,200}<|div(?:\s[^>]*)?>\s*<"
    rb"|br\s*/?>\s*<|(?:main|section|article)(?:\s[^>]*)?>\s*<(?:h[1-6]|p|div|form|section)[\s>]|(?:meta|link|script|iframe|img|font|a\s+href|form\s[^>]*action)[\s=]"
    rb"|(?:b|strong|em|span|label)(?:\s[^>]*)?>[^,;\t|<][^\r\n<]{0,200}</\w+>(?!\s*[,;\t|])"
    rb"|(?:ul|ol|table)(?:\s[^>]*)?>\s*<(?:li|tr|thead|tbody|caption)[\s>]"
    rb"|(?:script|style|noscript)>\s*[^\s,;\t|<][^\r\n]{0,200}[^\s\w])"
)
# What S3, Azure, Google and those who speak their languages answer with; a report may have such a root, without these.
_STORE_ERROR = re.compile(
    _PROLOGUE + rb"(?:<(?:[\w-]+:)?envelope\b[^>]*>\s*(?:<[\w:-]*header\s*/>\s*)?<(?:[\w-]+:)?body(?:\s[^>]*)?>\s*"
    rb"|<response>\s*<errors>\s*)?<(?:[\w-]+:)?(?:\w*error|errorresponse|fault)(?:\s[^>]*)?>\s*"
    rb"<.{0,200}?(?:code|message|string|reason|detail|title)(?:\s[^>]*)?>[^<]*</"
)
# The same in a few words of text, or as a map of a framework's.
_SHORT_ERROR = re.compile(
    _PROLOGUE + rb"<(?:(error|fault|exception|message|main)(?:\s[^>]*)?>[^<]*[a-z]\s+[a-z][^<]*</\1>\s*\Z"
    rb"|(?:linkedhash)?map>\s*<(?:timestamp|status|error|message|code)>|hash>\s*<(?:status|error|message)>"
    rb"|root>\s*<detail>[^<]*</detail>\s*</root>\s*\Z|problem\s+xmlns\s*=\s*[\"']urn:ietf:rfc:"
    rb"|(?:\w+:)?(?:service)?exceptionreport[\s>])"
)
# What gateways, routers, frameworks and interpreters say without any mark-up, as the whole file.
_PLAIN_ERROR = re.compile(
    rb"(?i)\s*+\"?(?:(?:http(?:/1\.[01])?\s+)?(?:error:?\s+)?(?:[45]\d\d[\s:-]+)?(?:bad request|unauthorized|forbidden"
    rb"|access denied|(?:page |file )?not found|method not allowed|too many requests|internal server error"
    rb"|not implemented|bad gateway|service (?:temporarily )?unavailable|gateway time-?out)"
    rb"(?::\s+[^\s,;\t|][^,;\t|\r\n]{0,200})?|rbac: access denied"
    rb"|no healthy upstream|upstream (?:connect error|request timeout)[^\r\n]{0,300}|stream timeout"
    rb"|error code: \d{3,4}|default backend - 404|no input file specified|(?:api )?rate limit exceeded"
    rb"|(?:endpoint )?request timed out|fault filter abort)[.!]?\"?\s*\Z"
    rb"|\s*+(?:traceback \(most recent call last\):\s|php (?:fatal|parse) error:\s)"
)
# What a web server has instead of a table or JSON: a picture, a feed, a site map. Reports have roots of their own.
_OTHER_XML = re.compile(
    _PROLOGUE + rb"<(?:!doctype\s+(?:svg|rss|plist)\b"
    rb"|(?:\w+:)?(?:svg|rss|feed|urlset|sitemapindex|rdf|plist|kml|opml)(?:\s+[\w:.-]+\s*=\s*[\"']|\s*/?>\s*<))"
)
# A framework's answer of nothing; as JSON it may be a result.
_NO_TABLE = re.compile(rb"\s*+(?:null|false|true)\s*\Z")
# The browsers' names for text of two or four bytes a character.
WIDE = (b"\xff\xfe", b"\xfe\xff")
_BLANK = b"\xff\xfe\0 \t\r\n"  # also in such text
_JSON = re.compile(rb'\s*(?:\{\s*["}]|\[\s*[\[{"\]])')
_OBJECT = re.compile(rb'\s*\{\s*"')


def refuse_page(head: bytes, declared: Format | None = None) -> None:
    """Raise `UnexpectedResponseError` where a file that begins so is a page or a store's error message."""
    start = _text_of(head)
    kinds = [_PAGE, _STORE_ERROR, _SHORT_ERROR, _PLAIN_ERROR]
    if declared is not None and declared.text is not None:
        kinds += [_OTHER_XML, _NO_TABLE] if declared.text == "table" else [_OTHER_XML]
    if any(kind.match(start) for kind in kinds):
        raise UnexpectedResponseError(
            "The download is an HTML page or an error message of the store (an error or login page?), no result."
        )


def _text_of(head: bytes) -> bytes:
    """The first bytes as text of one byte a character, without the byte order mark."""
    start = _unpacked(head, SMALL).removeprefix(BOM)
    encoding = json.detect_encoding(start)  # by the zero bytes among the first four
    if not encoding.startswith(("utf-16", "utf-32")):
        return start
    return start.decode(encoding, "replace").encode("utf-8", "replace")


def small_object(whole: bytes) -> dict[str, object]:
    """The members of a small file that is one JSON object, as an error message is; else none.

    Google's stream of several answers has its error in an array, alone, and Salesforce every error; others write
    ``["error", "a sentence"]``.
    """
    whole = _unpacked(whole, SMALL)
    if not whole[:HEAD].removeprefix(BOM).lstrip(_BLANK).startswith((b"{", b"[")):
        return {}
    try:
        # The words of an error may be of any encoding.
        value = json.loads(whole.decode(json.detect_encoding(whole), "replace").strip(" \t\r\n\0"))
    except (ValueError, RecursionError):
        return {}
    if isinstance(value, list) and len(value) == 2 and value[0] == "error" and isinstance(value[1], str):
        value = {"error": value[1]}
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        names = set(value[0])
        is_error = names == {"error"} and isinstance(value[0]["error"], dict)
        value = (
            value[0] if is_error or {"errorCode", "message"} <= names <= {"errorCode", "message", "fields"} else None
        )
    return value if isinstance(value, dict) else {}


def _unpacked(data: bytes, most: int) -> bytes:
    """The content of bytes that begin a gzip file, at most so many bytes of it; others as they are.

    A page that a server has packed stays packed where the result's own name is that of a packed file.
    """
    if not data.startswith(MEMBERS["gzip"]):
        return data
    try:
        return zlib.decompressobj(31).decompress(data, most)
    except zlib.error:
        return data


def begins_as_object(head: bytes) -> bool:
    """True where the first bytes may be those of a JSON object, or of JSON lines."""
    return _OBJECT.match(head.removeprefix(BOM)) is not None


def is_text(head: bytes) -> bool:
    """True where the first bytes may be text in which a line break is one byte."""
    return by_magic(head) is None and b"\0" not in head and not head.startswith(WIDE)


def fits(declared: Format, head: bytes) -> bool:
    """True where the first bytes may be those of a text of this format; a table's are neither JSON nor XML."""
    start = head.removeprefix(BOM)
    is_other = _JSON.match(start) or start.lstrip().startswith((b"<?xml", b"<!"))
    return is_text(head) and not (declared.text == "table" and is_other)
