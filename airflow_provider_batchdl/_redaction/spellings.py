"""Spellings of a secret: as it is, escaped, encoded, in other letters."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

from airflow_provider_batchdl._redaction.escapes import levels

# Shorter ones would mask parts of ordinary words.
SHORTEST_SECRET = 5


def forms(secret: str) -> list[str]:
    """The ways ``secret`` may stand in a text: as it is, percent-encoded, escaped, in base64 and in hex.

    Our own redactor undoes escapes and knows no case, and needs the first, the last two, and what an escape in the
    secret itself reads as.
    """
    raw = secret.encode(errors="surrogatepass")
    # What is left as it is differs: by the letter, in forms, in httpx's URLs and in a browser's.
    percent = [quote(raw, safe=""), quote_plus(raw), quote(raw, safe="!$&'()*+,;=:@/?"), quote(raw, safe="!'()*")]
    percent += [re.sub(r"%..", lambda match: match[0].lower(), text) for text in percent]
    strings = [repr(secret), repr(raw)[1:], json.dumps(secret), json.dumps(secret, ensure_ascii=False)]
    escaped = [text[1:-1] for text in strings]
    escaped += [escaped[2].replace("/", r"\/"), re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", escaped[3])]
    escaped += [html.escape(secret), html.escape(secret, quote=False)]
    plain = (view.text for view in levels(secret))
    found = dict.fromkeys((*plain, *percent, *escaped, *_in_base64(raw), raw.hex()))
    return [form for form in found if len(form) >= SHORTEST_SECRET]


def _in_base64(raw: bytes) -> list[str]:
    """``raw`` in base64, alone and inside something longer, as a password stands in Basic's "user:password"."""
    found = []
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found.append(encode(raw).decode().rstrip("="))
        for ahead in range(3):
            # Only characters all of whose bits are the secret's: those at the edges change with the neighbours.
            whole = encode(b"\0" * ahead + raw + b"\0\0").decode()
            found.append(whole[-(-ahead * 8 // 6) : (ahead + len(raw)) * 8 // 6])
    return found


def folded(text: str) -> str:
    """``text`` in lower case and of the same length: with one i for the Turkish ones, of which one would become two."""
    low = text.replace("\u0130", "i").lower()
    return low if low.isascii() else low.replace("\u0131", "i").replace("\u017f", "s")
