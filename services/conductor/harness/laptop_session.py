"""What a drill plays on: a running platform under orders that keep coming, and the blows it can be dealt."""

import signal
from collections.abc import Sequence
from pathlib import Path

from conductor.capstones.orders import purchases
from conductor.capstones.orders.api_client import OrdersApi
from conductor.harness.reporter import Story
from conductor.harness.session import Patience, Size, Watch
from conductor.history import Accepted, Intent, Kill, now
from conductor.runtime import UNCHANGED, Change, Rolled, Runtime, ServerName, Which


class Stage(Watch):
    """A platform that can be broken."""

    def __init__(self, runtime: Runtime, size: Size, story: Story, journal: Path, patience: Patience) -> None:
        super().__init__(runtime, size, story, journal, patience)
        self.runtime = runtime

    def place(self, name: str) -> str:
        """Place one order more than the load's, however many are open, and write it down; its id. A name is used once a drill."""
        customer = f"{self.load.prefix}{name}"
        wish = purchases.purchase(customer, sku="CLOCK", quantity=1, card="tok_ok")
        self.journal.write(Intent(now(), f"{customer}.key", customer, wish.pieces))
        with OrdersApi.of(self.runtime) as api:
            receipt = self.insist(lambda: api.place(f"{customer}.key", wish.body))
        self.journal.write(Accepted(now(), f"{customer}.key", receipt["order_id"], receipt["total_minor"], 1))
        return str(receipt["order_id"])

    def kill(self, pool: str, which: Which = "tree", number: int = signal.SIGKILL, index: int = 0) -> Sequence[int]:
        """Signal a process and write it down when that ends it; the pids."""
        open_orders = self.facts.open_orders(self.load.prefix) if self._load else None
        at = now()
        pids = self.runtime.kill(pool, which, number, index)
        if number == signal.SIGKILL and pids:
            self.record(Kill(at, pool, which, tuple(pids), open_orders=open_orders))
        return pids

    def restart_server(self, name: ServerName, *, hard: bool) -> None:
        """Restart a server and write it down: a database that forgets may repeat a mail."""
        how = "crashes" if hard else "restarts"
        self.story.tell(f"[red]{name} {how}[/red]")
        began = now()
        self.runtime.restart_server(name, hard=hard)
        self.record(Kill(began, name, "server", (), until=now()))
        self.story.tell(f"{name} answers again")

    def roll(self, pool: str, change: Change = UNCHANGED) -> Rolled:
        """Roll a pool; a process that had to be killed is written down."""
        rolled = self.runtime.roll(pool, change)
        for old in rolled.stopped:
            if old.killed:
                self.record(Kill(now(), pool, "tree", ()))
                self.story.tell(f"[red]{old.name} had to be killed after {old.seconds:.0f} s[/red]")
        longest = max((old.seconds for old in rolled.stopped), default=0.0)
        self.story.tell(f"rolled {pool}: the old process left after {longest:.1f} s")
        return rolled
