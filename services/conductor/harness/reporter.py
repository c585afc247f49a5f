"""What a drill reports while it runs: a line for every event, and below them how many requests were accepted and completed."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


def away(seconds: Sequence[float]) -> str:
    """A clause on how long no request was answered, each time; nothing when there was no such time."""
    return f"; none was answered for {', '.join(f'{one:.2f}' for one in seconds)} s" if seconds else ""


class Reporter:
    """Lines with seconds since the beginning, over a bar of accepted and completed requests; a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._progress = Progress(
            TextColumn("[dim]{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
        )
        self._accepted = self._progress.add_task("accepted", total=None)
        self._completed = self._progress.add_task("completed", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def phase(self, text: str) -> None:
        """A heading: what follows belongs together."""
        self._line(f"[bold]{text}[/bold]")

    def tell(self, text: str) -> None:
        """One thing that happened."""
        self._line(text)

    def progress(self, accepted: int, completed: int, wanted: int) -> None:
        """How many requests were accepted and completed; `wanted` are to be accepted."""
        self._progress.update(self._accepted, completed=accepted, total=max(wanted, accepted))
        self._progress.update(self._completed, completed=completed, total=max(accepted, 1))

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def _line(self, text: str) -> None:
        self._progress.console.print(f"[dim]{self.seconds:7.1f}s[/dim]  {text}", highlight=False, soft_wrap=True)
