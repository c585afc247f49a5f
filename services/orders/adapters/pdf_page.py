"""A PDF of one page with text in Helvetica and filled rectangles, put together by hand (ISO 32000-1, 7.5). Pure.

A label is printed for every order, and is always this page: a library takes a millisecond of CPU for it, and 0.2 s to import.
Places are in mm from the upper left corner. The same calls give the same bytes.
"""

import hashlib
import zlib
from collections.abc import Iterable

_POINTS = 72 / 25.4
# The page and what never changes of it, as objects 1 to 4.
_FIXED = (
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %s %s] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>",
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
)


class PdfPage:
    """A page of `width` by `height` mm."""

    def __init__(self, width: float, height: float, *, title: str) -> None:
        """`title` is printable Latin-1, as all text here."""
        self._width = width
        self._height = height
        self._title = title
        self._operators: list[str] = []

    def text(self, x: float, y: float, text: str, *, size: float) -> None:
        """Write one line, its foot at `y`, in `size` points."""
        at = f"{x * _POINTS:.2f} {(self._height - y) * _POINTS:.2f}"
        self._operators.append(f"BT /F1 {size} Tf {at} Td ({_escaped(text)}) Tj ET")

    def bars(self, x: float, y: float, bars: Iterable[tuple[int, int]], *, narrow: float, height: float) -> None:
        """Fill bars of one height, each given by place and width in units of `narrow`, from `x` on; one path for all."""
        top, tall = (self._height - y) * _POINTS, height * _POINTS
        unit, left = narrow * _POINTS, x * _POINTS
        path = [f"{left + at * unit:.2f} {top:.2f} {wide * unit:.2f} {-tall:.2f} re" for at, wide in bars]
        self._operators.append(" ".join([*path, "f"]))

    def output(self, made: str) -> bytes:
        """The file; `made` is its date as PDF writes it, `D:20000101000000Z`."""
        content = zlib.compress("\n".join(self._operators).encode("latin-1"), 1)
        catalog, pages, page, font = _FIXED
        size = b"%.2f" % (self._width * _POINTS), b"%.2f" % (self._height * _POINTS)
        stream = b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
        info = f"<< /Title ({_escaped(self._title)}) /CreationDate ({made}) >>".encode("latin-1")
        return _file((catalog, pages, page % size, font, stream, info))


def _file(objects: tuple[bytes, ...]) -> bytes:
    """The objects, numbered from 1, with the table of where each begins; the first is the catalog, the last the document's info."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    entries = [b"0000000000 65535 f \n"]
    for number, body in enumerate(objects, start=1):
        entries.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    name = hashlib.md5(out, usedforsecurity=False).hexdigest().encode()
    start, size = len(out), len(entries)
    out += b"xref\n0 %d\n%s" % (size, b"".join(entries))
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R /ID [<%s> <%s>] >>\n" % (size, len(objects), name, name)
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
