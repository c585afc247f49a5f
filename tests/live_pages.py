"""A live page in a browser: how wide it is, how readable, and pictures of it for a person."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from server_fixtures import missing

SCREENSHOTS = os.environ.get("SCREENSHOTS", "")
"""A folder for pictures of the page, for a person."""

WIDTHS = (360, 768, 1440)
"""Of a telephone's window, a tablet's and a desk's."""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for a fixture of one module; a laptop without it skips, CI fails."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        missing("Chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def wide(page: Page, scheme: str, width: int) -> int:
    """How wide the page is in a window of this width."""
    page.set_viewport_size({"width": width, "height": 900})
    pictured(page, f"{scheme}-{width}")
    found: int = page.evaluate("document.documentElement.scrollWidth")
    return found


def pictured(page: Page, name: str) -> None:
    """Leave a picture, where somebody wants one."""
    if SCREENSHOTS:
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(SCREENSHOTS, f"{name}.png"), full_page=True)


def contrasts(page: Page) -> dict[str, float]:
    """By state of the page, element and text, contrast to what is behind it as WCAG 2 counts it; 4.5 is what it wants (AA)."""
    found: dict[str, float] = page.evaluate(CONTRASTS)
    return found


CONTRASTS = """() => {
  const light = (channel) => (channel /= 255) <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3) return colour;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const [one, other] = [luminance(numbers(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => b - a);
    const name = `${document.documentElement.className} ${element.localName} ${element.textContent.trim().slice(0, 30)}`;
    found[name] = (one + 0.05) / (other + 0.05);
  }
  return found;
}"""
