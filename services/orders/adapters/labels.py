"""Shipping labels: one A6 page, the address, the tracking number as a Code 39 barcode and as text. Pure.

The same label gives the same bytes, so a label printed twice is one label. The page uses a font that every reader has;
it knows Latin-1, so other scripts are spelt in Latin letters, as the Universal Postal Union asks of addresses that
cross borders.
"""

import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from anyascii import anyascii

from chassis.errors import Permanent

# In mm. A6 is 105 x 148.
_PAGE = (105, 148)
_MARGIN = 8.0
_ADDRESS_TOP, _ADDRESS_LINE, _ADDRESS_LINES = 22.0, 7.0, 8
_BARCODE_TOP, _BARCODE_HEIGHT = 92.0, 28.0
# The wide bar of Code 39; the narrow is a third. A character is three wide and seven narrow, the number has a star at each end.
# Longer numbers get narrower bars, down to 0.19 mm, which is what scanners can read (ISO/IEC 16388 leaves it to them: 7.5 mil).
_WIDEST = 0.95
_CHARACTER = 3 + 7 / 3
_CODE39 = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%")
_LONGEST_NUMBER = 27
# The file says when it was made; a fixed time keeps the bytes the same.
_MADE = datetime(2000, 1, 1, tzinfo=UTC)


class PdfLabels:
    """`orders.ports.LabelPrinter` by fpdf2."""

    def label(self, *, order_id: str, tracking_number: str, name: str, address: Mapping[str, Any]) -> bytes:
        """A PDF of one page. Raises Permanent for a tracking number that Code 39 cannot say or the page cannot hold."""
        if not 1 <= len(tracking_number) <= _LONGEST_NUMBER or not _CODE39.issuperset(tracking_number):
            raise Permanent(f"tracking number {tracking_number!r} is not 1 to {_LONGEST_NUMBER} characters of Code 39")
        from orders.adapters.label_page import LabelPage

        page = LabelPage(format=_PAGE)
        page.set_creation_date(_MADE)
        page.set_auto_page_break(False)
        page.set_title(f"Label {tracking_number}")
        page.add_page()
        page.set_font("Helvetica", size=9)
        page.text(_MARGIN, 12, f"Order {latin(order_id)}")
        page.set_font("Helvetica", size=14)
        for number, line in enumerate(_fitted(page, _lines(name, address))):
            page.text(_MARGIN, _ADDRESS_TOP + number * _ADDRESS_LINE, line)
        wide = min(_WIDEST, (_PAGE[0] - 2 * _MARGIN) / (_CHARACTER * (len(tracking_number) + 2)))
        page.barcode(tracking_number, x=_MARGIN, y=_BARCODE_TOP, wide=wide, height=_BARCODE_HEIGHT)
        page.text(_MARGIN, _BARCODE_TOP + _BARCODE_HEIGHT + 8, tracking_number)
        return bytes(page.output())


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


def _fitted(page: Any, lines: list[str]) -> list[str]:
    """The lines, those that are too wide broken, as many as the page holds."""
    width = _PAGE[0] - 2 * _MARGIN
    fitted: list[str] = []
    for line in lines:
        wide = page.get_string_width(line)
        fitted += [line] if wide <= width else textwrap.wrap(line, max(1, int(len(line) * width / wide * 0.9)))
    return fitted[:_ADDRESS_LINES]
