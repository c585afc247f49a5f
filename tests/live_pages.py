"""A live page in a browser: how wide it is, how readable, and pictures of it for a person."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from server_fixtures import missing

SCREENSHOTS = os.environ.get("SCREENSHOTS", "")
"""A folder for pictures of the page, for a person."""

WIDTHS = (360, 768, 1440)
"""Of a telephone's window, a tablet's and a desk's."""

STALLED_SECONDS = 90.0
"""What nobody has moved for so long will not come. Whatever goes on may take as long as the machine needs."""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for a fixture of one module; a laptop without it skips, CI fails."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        missing("Chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"], timeout=STALLED_SECONDS * 1000
        )
        yield browser
        browser.close()


def follow(browser: Browser, url: str, label: str, token: str, **options: object) -> Page:
    """A page that shows what its token may see, with the field of this label filled in."""
    page = browser.new_page(timezone_id="Europe/Berlin", **options)  # type: ignore[arg-type]
    page.set_default_timeout(STALLED_SECONDS * 1000)
    page.goto(url)
    page.get_by_label(label).fill(token)
    page.keyboard.press("Enter")
    page.wait_for_selector("html.open #data")
    return page


def moving(page: Page, condition: Callable[[], bool], progress: Callable[[], object]) -> None:
    """Return once the condition is true. Fails when it is not, and `progress` has been the same for STALLED_SECONDS."""
    last, changed = progress(), time.monotonic()
    while not condition():
        assert time.monotonic() - changed < STALLED_SECONDS, last
        page.wait_for_timeout(100)
        if (now := progress()) != last:
            last, changed = now, time.monotonic()


def equal(page: Page, answered: Callable[[], object], shown: Callable[[], object]) -> None:
    """Return once the page shows what the API answers; both are asked again, because something may have changed in between. Fails when
    they differ and neither has changed for STALLED_SECONDS."""
    last: list[object] = []

    def asked() -> object:
        last[:] = [answered(), shown()]
        return [*last]

    moving(page, lambda: last[0] == last[1], asked)


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
