"""A waterfall in the terminal, and the spans that this machine keeps."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conductor.capstone import TraceSubject
from conductor.harness import traces
from conductor.harness.traces import Span
from conductor.harness.waterfall import Line, note, waits
from conductor.laptop.runtime import LocalRuntime

NARROWEST_BAR = 10
WIDEST_NAME = 38
WIDEST_NOTE = 44
BESIDE_THE_BAR = 128
"""What the other columns take."""


def kept(runtime: LocalRuntime, subject: TraceSubject, typed: str) -> list[Span] | None:
    """The spans of what a person typed in the store of this machine's platform; None when it keeps none."""
    platform = runtime.platform
    if not platform.state.observe:
        return None
    return traces.kept(platform.run.traces, subject.attribute, subject.value(typed))


def show(console: Console, lines: Sequence[Line]) -> None:
    """Draw a waterfall; the bars get what the console's width leaves them."""
    failed = sum(line.span.failed for line in lines)
    traces = len({line.span.trace for line in lines})
    console.print(f"[dim]{len(lines)} spans in {traces} traces, {failed} failed[/dim]")
    console.print(_table(lines, max(NARROWEST_BAR, console.width - BESIDE_THE_BAR)))


def _table(lines: Sequence[Line], width: int) -> Table:
    whole = max(line.offset + line.span.seconds for line in lines) or 1e-9
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("pool", style="dim", no_wrap=True)
    table.add_column("span", no_wrap=True, max_width=WIDEST_NAME)
    table.add_column(f"{whole:.2f} s", no_wrap=True, width=width)
    table.add_column("outcome", no_wrap=True, overflow="ellipsis", max_width=WIDEST_NOTE)
    for line in lines:
        if not line.depth and line is not lines[0]:
            table.add_section()
        colour = "red" if line.span.failed else "dim" if waits(line.span) else "green"
        name = escape("  " * line.depth + line.span.name)
        table.add_row(
            f"{line.offset:.3f} s",
            f"{line.span.seconds * 1000:.1f} ms",
            line.span.pool,
            name if colour == "green" else f"[{colour}]{name}[/]",
            f"[{colour}]{bar(line, whole, width)}[/]",
            f"[{colour}]{escape(note(line.span))}[/]",
        )
    return table


def bar(line: Line, whole: float, width: int) -> str:
    """When the span ran, drawn into `width` characters; at least one of them."""
    left = min(width - 1, int(line.offset / whole * width))
    return " " * left + ("┈" if waits(line.span) else "━") * max(
        1, min(width - left, round(line.span.seconds / whole * width))
    )
