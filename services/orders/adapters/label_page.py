"""The page of a label. Apart from `labels` because the library takes 0.2 s of CPU to import, which only label printers should pay."""

from typing import Any

from fpdf import FPDF


class LabelPage(FPDF):  # type: ignore[misc]
    """A page whose barcode is one path: the library paints bar by bar, at half the cost of the whole label."""

    def barcode(self, text: str, *, x: float, y: float, wide: float, height: float) -> None:
        """Paint `text` between the stars that frame a Code 39; all in mm, `wide` is the wide bar, three times the narrow."""
        self._bars: list[str] = []
        self.code39(f"*{text}*", x=x, y=y, w=wide, h=height)
        self._out(" ".join(self._bars) + " f")

    def rect(self, x: float, y: float, w: float, h: float, style: str | None = None, **_: Any) -> None:
        """One bar, called by `code39`, the only user of rectangles here."""
        k = self.k
        self._bars.append(f"{x * k:.2f} {(self.h - y) * k:.2f} {w * k:.2f} {-h * k:.2f} re")
