"""A service with a queue of batches; each flush is one line of the file that OUT names."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from chassis.app import make_app
from chassis.batch_consumer import BatchQueue
from chassis.errors import Permanent, Transient
from chassis.settings import ServiceSettings

SETTINGS = ServiceSettings
settings = ServiceSettings()


class Lines:
    """Writes what is flushed together; a file named `away` beside OUT is a store that fails, and `mended` a version without the bug."""

    def read(self, body: bytes) -> str:
        if body.startswith(b"\xff"):
            raise Permanent("no text")
        return body.decode()

    def apply(self, batches: Sequence[str]) -> None:
        if "die" in batches:
            os.kill(os.getpid(), signal.SIGKILL)
        if "bug" in batches and not Path(os.environ["OUT"]).with_name("mended").exists():
            raise ZeroDivisionError("a bug")
        self.ping()
        with Path(os.environ["OUT"]).open("a") as out:
            out.write(f"{','.join(batches)} {os.getpid()}\n")

    def ping(self) -> None:
        if Path(os.environ["OUT"]).with_name("away").exists():
            raise Transient("the store is away")


app = make_app(
    "columns",
    ("columns.lines",),
    settings,
    batch_queues={
        "columns.lines": BatchQueue(Lines, prefetch=8, window_seconds=float(os.environ.get("WINDOW", "0.2")))
    },
)
