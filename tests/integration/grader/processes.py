"""What is left of processes that somebody else started."""

import contextlib

import psutil


def command_of(process: psutil.Process) -> list[str]:
    """The words that started it; none when it has ended, also where nobody has collected it yet."""
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []
