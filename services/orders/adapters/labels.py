"""Shipping labels: one A6 page, the address, the tracking number as a Code 39 barcode and as text. Pure.

The same label gives the same bytes, so a label printed twice is one label. The page uses a font that every reader has;
it knows Latin-1, so other scripts are spelt in Latin letters, as the Universal Postal Union asks of addresses that
cross borders.
"""

import textwrap
from collections.abc import Mapping
from typing import Any

from anyascii import anyascii

from chassis.errors import Permanent
from orders.adapters import code39, helvetica
from orders.adapters.pdf_page import PdfPage

_POINT_MM = 25.4 / 72

# In mm. A6 is 105 x 148.
_PAGE = (105, 148)
_MARGIN = 8.0
# In points.
_SIZE = 14
_ADDRESS_TOP, _ADDRESS_LINE, _ADDRESS_LINES = 22.0, 7.0, 8
_BARCODE_TOP, _BARCODE_HEIGHT = 92.0, 28.0
# The narrow bar of Code 39. A character takes sixteen of them: 15 and two stars fit the page.
_NARROW = 0.95 / 3
_LONGEST_NUMBER = 15
# The file says when it was made; a fixed time keeps the bytes the same.
_MADE = "D:20000101000000Z"


class PdfLabels:
    """`orders.ports.LabelPrinter` in Helvetica."""

    def label(self, *, order_id: str, tracking_number: str, name: str, address: Mapping[str, Any]) -> bytes:
        """A PDF of one page. Raises Permanent for a tracking number that Code 39 cannot say or the page cannot hold."""
        if not 1 <= len(tracking_number) <= _LONGEST_NUMBER or not code39.ALPHABET.issuperset(tracking_number):
            raise Permanent(f"tracking number {tracking_number!r} is not 1 to {_LONGEST_NUMBER} characters of Code 39")
        page = PdfPage(*_PAGE, title=f"Label {tracking_number}")
        page.text(_MARGIN, 12, f"Order {latin(order_id)}", size=9)
        for number, line in enumerate(_fitted(_lines(name, address))):
            page.text(_MARGIN, _ADDRESS_TOP + number * _ADDRESS_LINE, line, size=_SIZE)
        page.bars(_MARGIN, _BARCODE_TOP, code39.bars(tracking_number), narrow=_NARROW, height=_BARCODE_HEIGHT)
        page.text(_MARGIN, _BARCODE_TOP + _BARCODE_HEIGHT + 8, tracking_number, size=_SIZE)
        return page.output(_MADE)


def latin(text: str) -> str:
    """The text in Latin-1: characters outside it spelt in ASCII, unprintable ones a space."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_latin(character) for character in text)


def _latin(character: str) -> str:
    if not character.isprintable():
        return " "
    return character if ord(character) < 256 else anyascii(character)


def _lines(name: str, address: Mapping[str, Any]) -> list[str]:
    parts = [
        name,
        str(address.get("street", "")),
        f"{address.get('postcode', '')} {address.get('city', '')}",
        str(address.get("country", "")),
    ]
    return [" ".join(latin(part).split()) for part in parts if part.strip()]


def _fitted(lines: list[str]) -> list[str]:
    """The lines, those that are too wide broken, as many as the page holds."""
    width = _PAGE[0] - 2 * _MARGIN
    fitted: list[str] = []
    for line in lines:
        wide = helvetica.width(line, _SIZE * _POINT_MM)
        fitted += [line] if wide <= width else textwrap.wrap(line, max(1, int(len(line) * width / wide * 0.9)))
    return fitted[:_ADDRESS_LINES]
