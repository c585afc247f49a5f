"""The way of a shard's own machine to its engine: a line over the Unix socket in the shard's folder, see processes/control.py."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trading.adapters.layouts import Between
from trading.domain.records import BadRecord
from trading.ports import PASSING, NoAnswer, NotHandedOver

LONGEST_ADDRESS = 103
"""Bytes that a Unix socket's address holds on every system, without the NUL at its end: 107 on Linux, 103 on macOS."""


def ask(path: Path, *record: int, timeout: float = 10.0) -> list[list[int]]:
    """Send one input to a shard and give what it made of it; `timeout` is in seconds.

    Raises NotHandedOver when the engine did not take it and may take it later, because the gateway is away, ends or is behind, or the
    journal has no room; NoAnswer when nobody knows whether it was taken; BadRecord with the reason when it is no input.
    """
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout)
        try:
            with unix_address(path) as where:
                sock.connect(where)
            sock.sendall(json.dumps(record).encode() + b"\n")
        except OSError as error:
            raise NotHandedOver(f"the gateway is away: {error}") from error
        try:
            with sock.makefile("rb") as file:
                line = file.readline()
        except OSError as error:
            raise NoAnswer(f"the gateway did not answer: {error}") from error
    if not line.endswith(b"\n"):
        raise NoAnswer("the gateway ended before it answered")
    answer = json.loads(line)
    if reason := answer.get("error"):
        if answer.get("unknown"):
            raise NoAnswer(reason)
        raise NotHandedOver(reason) if reason.startswith(PASSING) else BadRecord(reason)
    outcomes: list[list[int]] = answer["outcomes"]
    if any(one[0] == Between.JOURNAL_FULL for one in outcomes):
        raise NotHandedOver("JOURNAL_FULL: the journal has no room")
    return outcomes


@contextmanager
def unix_address(path: Path) -> Iterator[str]:
    """The path as the address of a socket, which holds LONGEST_ADDRESS bytes; a longer one is told by its folder's descriptor (Linux)."""
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
