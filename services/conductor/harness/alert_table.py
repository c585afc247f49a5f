"""The table of docs/alerts.md: how long each alert took to fire and to be over. A new row takes the place of the one for the same fault."""

from collections.abc import Iterable

from conductor.harness.alert_plays import Measured
from conductor.run_directory import CHECKOUT

DOCUMENT = CHECKOUT / "docs" / "alerts.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
HEAD = (
    "| capstone | fault | alert | its own time (s) | fired after (s) | over after (s) |",
    "|---|---|---|---|---|---|",
)


def rows(measured: Iterable[Measured]) -> list[str]:
    """A line of Markdown for each."""
    return [_row(one) for one in measured]


def _row(one: Measured) -> str:
    expected = one.expected
    own = f"{expected.seconds / one.divide:g}"
    if expected.harmless_seconds:
        own += f", and at most {expected.harmless_seconds:g}"
    told = (one.capstone, one.play, expected.alert, own, f"{one.firing_seconds:.1f}", f"{one.resolving_seconds:.1f}")
    return f"| {' | '.join(told)} |"


def write(measured: Iterable[Measured]) -> None:
    """Put these rows into the document."""
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    kept = {_key(line): line for line in old.strip().splitlines()[2:]}
    kept |= {_key(line): line for line in rows(measured)}
    table = "\n".join([*HEAD, *sorted(kept.values(), key=_order)])
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def _key(line: str) -> tuple[str, ...]:
    """Capstone, fault and alert."""
    return tuple(cell.strip() for cell in line.split("|")[1:4])


def _order(line: str) -> tuple[str, ...]:
    capstone, fault, alert = _key(line)
    return alert, capstone, fault
