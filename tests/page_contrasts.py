"""How readable a page is: the contrast of every text that is seen, as WCAG 2 counts it."""

from playwright.sync_api import Page


def contrasts(page: Page) -> dict[str, float]:
    """By state of the page, element and text, contrast to what is behind it; 4.5 is what WCAG 2 wants (AA)."""
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
