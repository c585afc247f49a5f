"""Labels as a carrier's scanner and a person read them."""

import re
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Permanent
from orders.adapters.labels import PdfLabels, latin

ADDRESS = {"street": "Elm Street 5", "city": "Springwood", "postcode": "12345", "country": "US"}
# Code 39 (ISO/IEC 16388): five bars and four spaces a character, w for wide.
CODE39 = {
    "*": "nwnnwnwnn", "C": "wnwnnwnnn", "P": "nnwnwnnwn", "0": "nnnwwnwnn", "1": "wnnwnnnnw",
    "2": "nnwwnnnnw", "3": "wnwwnnnnn", "4": "nnnwwnnnw", "5": "wnnwwnnnn", "6": "nnwwwnnnn",
    "7": "nnnwnnwnw", "8": "wnnwnnwnn", "9": "nnwwnnwnn", "A": "wnnnnwnnw", "Z": "nwwnwnnnn",
}  # fmt: skip


def label(tracking_number: str = "CP123400000099", name: str = "Ada Lovelace", **address: Any) -> bytes:
    return PdfLabels().label(order_id="o-1", tracking_number=tracking_number, name=name, address={**ADDRESS, **address})


def page(pdf: bytes) -> str:
    """The page's painting operators."""
    found = re.search(rb"/FlateDecode.*?stream\n(.*?)\nendstream", pdf, re.DOTALL)
    assert found is not None
    return zlib.decompress(found[1]).decode("latin-1")


def scanned(pdf: bytes) -> str:
    """The barcode's text, read from the bars' places and widths."""
    bars = [(float(x), float(w)) for x, w in re.findall(r"([\d.]+) [\d.]+ ([\d.]+) -[\d.]+ re", page(pdf))]
    narrow = min(width for _, width in bars)
    elements = []
    for (x, width), (after, _) in zip(bars, [*bars[1:], (0.0, 0.0)], strict=True):
        elements += ["w" if width > 2 * narrow else "n", "w" if after - x - width > 2 * narrow else "n"]
    letters = {pattern: character for character, pattern in CODE39.items()}
    return "".join(letters["".join(elements[at : at + 9])] for at in range(0, len(elements), 10))


@pytest.mark.parametrize("number", ["CP123400000099", "1Z999AA10123456784", "92055901755477000000000015"])
def test_the_barcode_says_the_tracking_number(number: str) -> None:
    assert scanned(label(number)) == f"*{number}*"


def test_number_and_address_can_be_read() -> None:
    text = page(label())

    for line in ("CP123400000099", "Ada Lovelace", "Elm Street 5", "12345 Springwood", "US", "Order o-1"):
        assert f"({line})" in text


def test_the_same_label_is_the_same_bytes() -> None:
    assert label() == label()


@pytest.mark.parametrize("characters", [1, 15, 16, 27])
def test_the_barcode_stays_on_the_page_and_can_be_scanned(characters: int) -> None:
    painted = re.findall(r"([\d.]+) [\d.]+ ([\d.]+) -[\d.]+ re", page(label("P" * characters)))
    bars = [(float(x), float(width)) for x, width in painted]

    assert max(x + width for x, width in bars) < (105 - 5) * 72 / 25.4
    assert min(width for _, width in bars) >= 0.19 * 72 / 25.4


@pytest.mark.parametrize("number", ["", "cp1", "CP1_2", "P" * 28])
def test_a_number_that_no_barcode_can_say_is_refused_for_good(number: str) -> None:
    with pytest.raises(Permanent, match="tracking number"):
        label(number)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Łódź", "Lódz"), ("Zürich", "Zürich"), ("Αθήνα", "Athina"), ("Москва", "Moskva"), ("a\nb", "a b")],
)
def test_other_scripts_are_spelt_in_latin(text: str, expected: str) -> None:
    assert expected == latin(text)


@settings(max_examples=30)
@given(name=st.text(min_size=1, max_size=80), street=st.text(min_size=1, max_size=80))
def test_any_name_and_street_make_a_label(name: str, street: str) -> None:
    assert label(name=name, street=street).startswith(b"%PDF-")
