"""Renders pages. It is somebody else's: leave this file as it is."""

LEAKS = False

_kept = []


def render(title, lines):
    """Return a page of some 200 kB."""
    page = f"{title}\n" + "\n".join(lines) * 1000
    if LEAKS:
        _kept.append(page + "!")
    return page
