"""The live screen: what runs, what waits and how far the requests are, drawn from a `Status`."""

import time
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.status import Gatherer, ProcessStatus, Status

REFRESH_SECONDS = 1.0
COLOURS = {"running": "green", "starting": "yellow", "stopping": "yellow", "backoff": "red", "fatal": "bold red"}
DEAD = ".dead"


def render(status: Status) -> RenderableType:
    """Everything on one screen; passwords stay out of it."""
    head = Text.assemble(
        ("● ready" if status.ready else "● not ready", "bold green" if status.ready else "bold red"),
        ("   broker ", "dim"),
        status.broker,
    )
    reasons = [Text(f"  {reason}", style="red") for reason in status.unready]
    beside = Table.grid(padding=(0, 2, 0, 0))
    beside.add_row(Group(*(_requests(name, counts) for name, counts in status.requests.items())), _queues(status))
    return Group(head, *reasons, _processes(status), beside, _addresses(status))


def show(runtimes: Sequence[LocalRuntime]) -> None:
    """Draw it anew every second until Ctrl-C."""
    gatherer = Gatherer(runtimes)
    console = Console(highlight=False)
    with Live(render(gatherer.gather()), console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(REFRESH_SECONDS)
            footer = Text(time.strftime("%H:%M:%S  Ctrl-C leaves; everything goes on"), style="dim")
            live.update(Group(render(gatherer.gather()), footer), refresh=True)


def _processes(status: Status) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("process")
    table.add_column("state")
    for name in ("up", "restarts", "pid", "processes", "cpu %", "RSS MB"):
        table.add_column(name, justify="right")
    for process in status.processes:
        table.add_row(*_row(process))
    return table


def _row(process: ProcessStatus) -> list[RenderableType]:
    restarts = Text(str(process.restarts), style="yellow" if process.restarts else "dim")
    return [
        Text(process.name, style="bold" if process.pool else ""),
        Text(process.state, style=COLOURS.get(process.state, "red")),
        _duration(process.uptime_seconds) if process.pid else "",
        restarts,
        Text(str(process.pid or ""), style="dim"),
        str(process.processes or ""),
        f"{process.cpu_percent:.0f}",
        f"{process.rss_bytes / 1e6:.0f}",
    ]


def _duration(seconds: int) -> str:
    minutes, rest = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def _requests(capstone: str, counts: Mapping[str, int] | None) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    if counts is None:
        table.add_row("?", "")
    for state, count in (counts or {}).items():
        table.add_row(state, Text(str(count), style="bold" if count else "dim"))
    return Panel(table, title=capstone, border_style="dim", expand=False)


def _queues(status: Status) -> Panel:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("queue")
    for name in ("waiting", "consumers", "dead"):
        table.add_column(name, justify="right")
    depths = {depth.queue: depth for depth in status.queues}
    for queue, depth in depths.items():
        if not queue.endswith(DEAD):
            dead = depths.get(queue + DEAD)
            dead_count = _count(dead.messages if dead else None)
            waiting = Text(_count(depth.messages), style="bold" if depth.messages else "dim")
            red = "bold red" if dead and dead.messages else "dim"
            table.add_row(queue, waiting, _count(depth.consumers), Text(dead_count, style=red))
    return Panel(table, title="queues", border_style="dim", expand=False)


def _count(number: int | None) -> str:
    """A dash where the broker does not tell."""
    return "-" if number is None else str(number)


def _addresses(status: Status) -> Table:
    shown = Table.grid(padding=(0, 2, 0, 0))
    for name, url in status.addresses.items():
        shown.add_row(Text(name, style="dim"), Text(url, overflow="fold"))
    return shown
