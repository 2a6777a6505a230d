"""A vendor's file name, made safe."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.source import filenames
from airflow_provider_batchdl.transfer.source.filenames import MAX_BYTES, part_name, safe_filename, split_suffix


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a b.csv"', "a b.csv"),
        ("attachment; filename=plain.csv", "plain.csv"),
        ("ATTACHMENT;FILENAME=plain.csv;size=3", "plain.csv"),
        ("filename=plain.csv", "plain.csv"),
        ('form-data; name="x; filename=evil.csv"; filename="good.csv"', "good.csv"),
        # RFC 6266 §5: the extended one wins wherever it stands.
        ("attachment; filename=\"EURO.csv\"; filename*=utf-8''%e2%82%ac%20rates.csv", "€ rates.csv"),
        ("attachment; filename*=UTF-8'en'%e2%82%ac.csv; filename=x.csv", "€.csv"),
        ("attachment; filename*=ISO-8859-1''%a3.csv", "£.csv"),
        ("attachment; filename*=UTF-8''%ff%fe; filename=x.csv", "x.csv"),
        ("attachment; filename*=KOI8-R''%c1; filename=x.csv", "x.csv"),
        ("attachment; filename*=I\u017fO-8859-1''%a3; filename=x.csv", "x.csv"),
        ("attachment; filename*=nonsense; filename=x.csv", "x.csv"),
        ('attachment; filename="a\\"b.csv"', "a_b.csv"),
        ('attachment; filename="semi;colon.csv"', "semi;colon.csv"),
        # RFC 2047 is not for this header, but servers that were written for mail use it there.
        ('attachment; filename="=?UTF-8?B?w7xiZXJzaWNodC5jc3Y=?="', "übersicht.csv"),
        ('attachment; filename="=?utf-8?Q?=C3=BCber_sicht.csv?="', "über sicht.csv"),
        ("attachment; filename==?utf-8?q?a=2Ecsv?=", "a.csv"),
        ('attachment; filename="=?ISO-8859-15?Q?=A4.csv?="', "€.csv"),
        ('attachment; filename="=?Shift_JIS?B?k/qWey5jc3Y=?="', "日本.csv"),
        ('attachment; filename="=?utf-8*en?Q?x.csv?="', "x.csv"),
        ('attachment; filename="=?UTF-8?Q?export?=.csv.gz"', "export.csv.gz"),
        # A character whose two bytes are in two words.
        ('attachment; filename="=?utf-8?Q?a=C3?= =?utf-8?Q?=BC.csv?="', "aü.csv"),
        ('attachment; filename="=?UTF-8?B?Li4vLi4vZXRjL3Bhc3N3ZA==?="', "passwd"),
        ('attachment; filename="=?utf-7?Q?a+2AA-.csv?="', "a.csv"),
        # What is no word of any charset stays as it is.
        ('attachment; filename="=?UTF-8?B?A?=.csv"', "=_UTF-8_B_A_=.csv"),
        ('attachment; filename="=?UTF-8?Q?=FF?=.csv"', "=_UTF-8_Q_=FF_=.csv"),
        ('attachment; filename="=?rot13?Q?x?=.csv"', "=_rot13_Q_x_=.csv"),
        ('attachment; filename="=?UTF-8?X?x?=.csv"', "=_UTF-8_X_x_=.csv"),
        ('attachment; filename="=?.csv"', "=_.csv"),
        # Percent signs mean something only in the extended form.
        ('attachment; filename="50%25.csv"', "50%25.csv"),
        # Raw UTF-8 that an HTTP library read as ISO-8859-1.
        ('attachment; filename="Ã¼.csv"', "ü.csv"),
        ('attachment; filename="\xfc.csv"', "ü.csv"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        (r'attachment; filename="..\\..\\boot.ini"', "boot.ini"),
        (r"attachment; filename=C:\x\y.csv", "y.csv"),
        ("attachment; filename=C:y.csv", "y.csv"),
        ("attachment; filename=/etc/passwd", "passwd"),
        ("attachment; filename*=UTF-8''..%2F..%2Fx.csv", "x.csv"),
        ('attachment; filename="folder/"', "folder"),
        ('attachment; filename=".htaccess"', "htaccess"),
        ('attachment; filename=" x.csv. . "', "x.csv"),
        ('attachment; filename="a\x00b\x1f\x7f.csv"', "ab.csv"),
        ('attachment; filename="a\u202egpj.csv\u200b"', "agpj.csv"),
        ('attachment; filename="CON"', "file-CON"),
        ('attachment; filename="nul.csv"', "file-nul.csv"),
        ('attachment; filename="com1 .csv.gz"', "file-com1 .csv.gz"),
        ('attachment; filename="console.csv"', "console.csv"),
        ('attachment; filename="_manifest.json"', "file-manifest.json"),
        ('attachment; filename="_MANIFEST.json"', "file-MANIFEST.json"),
        # The same file to a disk that ignores case and normalisation: a long s, full-width letters.
        ("attachment; filename*=UTF-8''_manife%C5%BFt.json", "file-manife\u017ft.json"),
        ("attachment; filename*=UTF-8''%EF%BC%BFmanifest.json", "file-\uff3fmanifest.json"),
        ('attachment; filename="e\u0301.csv"', "é.csv"),
        ('attachment; filename="a?b*c<d>e|f:g.csv"', "a_b_c_d_e_f_g.csv"),
        ('attachment; filename="https://h.example/a/x.csv?X-Amz-Signature=se/cret"', "x.csv"),
        ('attachment; filename="x.csv?AWSAccessKeyId=k&Signature=secret"', "x.csv"),
        ('attachment; filename=""', "fallback.bin"),
        ('attachment; filename="..."', "fallback.bin"),
        ("attachment; filename=", "fallback.bin"),
        ("inline", "fallback.bin"),
        ("", "fallback.bin"),
        (None, "fallback.bin"),
    ],
)
def test_header(header: str | None, name: str) -> None:
    assert safe_filename(header, fallback="fallback.bin") == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h.example/a/b%20c.csv?X-Amz-Signature=secret#f", "b c.csv"),
        ("https://h.example/a/b%2F..%2Fc.csv", "c.csv"),
        ("https://h.example/", "fallback.bin"),
        ("https://h.example", "fallback.bin"),
        ("https://h.example/a/", "fallback.bin"),
        ("http://[broken", "fallback.bin"),
        ("https://h.example/%00%ff", "\ufffd"),
        (None, "fallback.bin"),
    ],
)
def test_address(url: str | None, name: str) -> None:
    assert safe_filename(None, url, fallback="fallback.bin") == name


def test_header_before_address_before_fallback() -> None:
    assert safe_filename("attachment; filename=h", "https://x/u", fallback="f") == "h"
    assert safe_filename("attachment; filename=..", "https://x/u", fallback="f") == "u"
    assert safe_filename("attachment; filename=..", "https://x/..", fallback="../f") == "f"
    assert safe_filename(None, None, fallback="..") == "result"


def test_long_names_keep_their_suffix() -> None:
    name = safe_filename(None, fallback="ü" * 300 + ".csv.gz")
    assert name.endswith("ü.csv.gz")
    assert MAX_BYTES - 1 <= len(name.encode()) <= MAX_BYTES
    assert safe_filename(None, fallback="CON" + " " * 300 + "x.csv") == "file-CON.csv"
    assert len(safe_filename(None, fallback="x." + "y" * 300)) == MAX_BYTES


def test_too_many_encoded_words_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(name: str) -> list[tuple[str, None]]:
        raise AssertionError(f"{len(name)} characters, and its time grows with their square")

    monkeypatch.setattr(filenames, "decode_header", decode)
    for name in ("=?a?q?" * 10_000, "=?a?q?" * 10_000 + "?=", "=?a?q?x?= " * 101):
        assert safe_filename(f'attachment; filename="{name}"', fallback="x").startswith("=_a_q_")


anything = st.text() | st.text(alphabet="./\\:\"'%;=* aC\u202e\x00\u0301conNUL", max_size=40)


@given(st.none() | anything, st.none() | anything, anything)
def test_invariants(header: str | None, url: str | None, fallback: str) -> None:
    for disposition in (
        header,
        f'attachment; filename="{header}"',
        f"x; filename*=UTF-8''{quote(header or '', safe='%')}",
    ):
        name = safe_filename(disposition, url, fallback=fallback)
        assert name
        assert not set(name) & set('/\\\x00<>:"|?*')
        assert name not in {".", ".."}
        assert len(name.encode()) <= MAX_BYTES
        assert unicodedata.is_normalized("NFC", name)
        assert name == name.strip().strip(".")
        assert all(unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in name)
        assert name.lower() != "_manifest.json"
        assert safe_filename(None, fallback=name) == name


@pytest.mark.parametrize(
    ("name", "part", "expected"),
    [
        ("export.jsonl", 1, "export-part-0001.jsonl"),
        ("x.csv.gz", 2, "x-part-0002.csv.gz"),
        ("x.parquet", 12345, "x-part-12345.parquet"),
        ("noext", 3, "noext-part-0003"),
        (".hidden", 1, ".hidden-part-0001"),
        ("a.b/c", 1, "a.b/c-part-0001"),
        ("v1.2 of it", 1, "v1.2 of it-part-0001"),
        ("report.2024.csv", 1, "report.2024-part-0001.csv"),
        ("x.gz", 1, "x-part-0001.gz"),
    ],
)
def test_part_name(name: str, part: int, expected: str) -> None:
    assert part_name(name, part) == expected


@given(anything.filter(bool))
def test_suffix_and_stem_are_the_whole(name: str) -> None:
    stem, suffix = split_suffix(name)
    assert stem + suffix == name
    assert stem
