"""What a design lacks that can be told without understanding it."""

from collections.abc import Sequence

DIAGRAM = "Diagram"
"""The heading below which a block with a drawing is looked for."""

FEWEST_LINES = 3
"""Of a drawing."""

MOST_DESIGN_BYTES = 256 * 1024

FEWEST_WORDS = 40
"""Below each heading of a design."""


def lacks(text: str, headings: tuple[str, ...]) -> list[str]:
    """What a design lacks that can be told without understanding it."""
    if len(text.encode()) > MOST_DESIGN_BYTES:
        return [f"it is longer than {MOST_DESIGN_BYTES // 1024} KiB"]
    found: dict[str, list[str]] = {}
    below: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            below = found.setdefault(line[3:].strip(), [])
        else:
            below.append(line)
    lacking = []
    for heading in headings:
        if heading not in found:
            lacking.append(f'the heading "## {heading}" is missing')
        elif heading == DIAGRAM:
            if not _drawn(found[heading]):
                lacking.append(
                    f'below "## {heading}" is no block (```) of three lines or more with a drawing, such as Mermaid'
                )
        elif (words := sum(len(line.split()) for line in found[heading])) < FEWEST_WORDS:
            lacking.append(f'below "## {heading}" are {words} words, at least {FEWEST_WORDS} are needed')
    return lacking


def _drawn(lines: Sequence[str]) -> bool:
    fences = [number for number, line in enumerate(lines) if line.startswith("```")]
    return any(end - begin > FEWEST_LINES for begin, end in zip(fences[::2], fences[1::2], strict=False))
