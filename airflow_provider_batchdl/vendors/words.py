"""Single words that people write: pasted, with blanks and marks around them, or misspelt."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

END = r"$(?!\n)"
"""The end of a pattern in JSON Schema, too: ``$`` alone would let a last line break pass in Python."""
# Spaces of zero width and the byte order mark: browsers and editors copy them along, and nobody sees them.
_CLINGS = r"[\s\u200b-\u200d\u2060\ufeff]+"
_AROUND = re.compile(rf"\A{_CLINGS}|{_CLINGS}\Z")
_HEADER = re.compile(r"(?:authorization:|x-[a-z-]+:|api[_-]?key[:=]|bearer\s|basic\s)", re.IGNORECASE)
# JSON, or a template or variable that nothing has put a value in the place of.
_BRACED = re.compile(r"\$?\{.*\}")
_QUOTES = "\"'`"


def stripped(text: str) -> str:
    """``text`` without blanks, line breaks and invisible letters around it."""
    return _AROUND.sub("", text)


def problem_of(word: str, *, is_secret: bool = True) -> str | None:
    """Reason why ``word``, stripped, is not one of visible ASCII, as credentials and ids are; None where it is.

    It follows the field's name in a sentence, and shows nothing of ``word``. A secret is no address.
    """
    if not word.strip("*•"):
        return "is the mask that Airflow shows in a secret's place, not the secret"
    if _HEADER.match(word):
        return "begins with a header's name or with 'Bearer'; only the key belongs there"
    if is_secret and "://" in word:
        return "is a URL, not what belongs there"
    if is_secret and _BRACED.fullmatch(word):
        return "is in braces, as JSON or a template that was not replaced"
    if len(word) > 1 and word[0] == word[-1] and word[0] in _QUOTES:
        return "is in quotation marks"
    if any(letter.isspace() for letter in word):
        return "has a blank or a line break in the middle"
    if not word.isascii() or not word.isprintable():
        return "has a letter in it that cannot be seen, or is not ASCII"
    return None


def nearest(word: object, known: Iterable[str], alike: float) -> str | None:
    """The known word that ``word`` is a misspelling of, by its letters and digits; ``alike`` is from 0 to 1."""
    folded = {_letters(each): each for each in known}
    found = get_close_matches(_letters(word), folded, n=1, cutoff=alike)
    return folded[found[0]] if found else None


def _letters(word: object) -> str:
    return "".join(filter(str.isalnum, str(word))).casefold()
