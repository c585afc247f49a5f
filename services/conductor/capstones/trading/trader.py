"""A patient client of FIX: sends orders, writes down what it was told, and asks for what it was not told.

An order that is without an answer when the connection ends is unknown. After the next logon the client asks for each such order by its
client id, and sends those again, with the same id, that were never taken.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

from conductor.capstones.trading.drawn_orders import of_the_load
from conductor.capstones.trading.fix import Disconnected, FixClient, Message
from conductor.capstones.trading.promises import REFUSED_BEFORE, Acknowledged, Filled, Intent, Refused
from conductor.history import Journal, now

SESSION, COMPANY = 1, "CLIENT1"
"""Of the token `customer`."""
BATCH = 32
"""Orders that are sent in one piece at most."""
WAIT_SECONDS = 0.02
RETRY_SECONDS = 0.05
ANSWER_SECONDS = 10.0
"""How long an answer may take on a connection that is there; then the client connects again and asks."""
NEVER_TAKEN = "5"

Connect = Callable[[], FixClient]


class Refusing(Disconnected):
    """The venue takes no order for now: the client comes again a little later."""


class Trader(threading.Thread):
    """Sends orders while `wanted`; at most `window` are without an answer, `per_second` come a second (None is as many as are answered)."""

    def __init__(
        self,
        connect: Connect,
        journal: Journal,
        *,
        scope: str,
        seed: int,
        wanted: Callable[[], bool],
        window: Callable[[], int],
        per_second: Callable[[], float | None],
    ) -> None:
        super().__init__(name="trader", daemon=True)
        self._connect, self._journal, self._scope = connect, journal, scope
        self._wanted, self._window, self._per_second = wanted, window, per_second
        self._random = random.Random(seed)
        self.draw = of_the_load
        """What is sent next; may be another function of `drawn_orders` at any time."""
        self._last_id = 0
        self._next_at = 0.0
        self._open: dict[int, Intent] = {}
        self._sending = threading.Lock()
        self.abandoned = threading.Event()
        self.accepted = 0
        self.repeats = 0
        self.reconnects: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        """Orders that were refused for good, by rule."""
        self.away_seconds: list[float] = []
        """Of each time that the connection ended: from the last order that was taken before it to the first one after it."""
        self.taken_at = 0.0
        """When an order was taken last, on the monotonic clock; 0 before the first."""
        self._interrupted = False
        self.answered_at: list[float] = []
        """When each acknowledgement came, on the monotonic clock, in this order."""

    @property
    def in_flight(self) -> int:
        """Orders without an answer."""
        return len(self._open)

    def is_idle(self) -> bool:
        """Whether no order is without an answer; none that is being sent is overlooked."""
        with self._sending:
            return not self._open

    def run(self) -> None:
        """Trade until nothing is wanted and every order is answered, or it is abandoned."""
        while not self.abandoned.is_set() and (self._wanted() or self._open):
            try:
                client = self._connect()
            except Disconnected:
                self.abandoned.wait(RETRY_SECONDS)
                continue
            try:
                self._recover(client)
                self._trade(client)
            except Disconnected as error:
                self.reconnects[str(error)] += 1
                self._interrupted = self.taken_at > 0
                if isinstance(error, Refusing):
                    self.abandoned.wait(RETRY_SECONDS)
            finally:
                client.close()

    def _trade(self, client: FixClient) -> None:
        heard = time.monotonic()
        while not self.abandoned.is_set() and (self._wanted() or self._open):
            sent = self._send(client)
            before = len(self._open)
            for message in client.receive(0 if sent else WAIT_SECONDS):
                self._hear(message)
            if len(self._open) < before or not before:
                heard = time.monotonic()
            elif time.monotonic() - heard > ANSWER_SECONDS:
                raise Disconnected(f"no answer for {ANSWER_SECONDS:g} s")

    def _send(self, client: FixClient) -> bool:
        with self._sending:
            drawn = self._next()
        if drawn:
            client.send(tuple(map(_order, drawn)))
        return bool(drawn)

    def _next(self) -> list[Intent]:
        """The orders to send now, which count as unanswered from here on."""
        room = self._window() - len(self._open) if self._wanted() else 0
        rate, current = self._per_second(), time.monotonic()
        if rate is not None:
            self._next_at = max(self._next_at, current - BATCH / rate)
            room = min(room, int((current - self._next_at) * rate))
        count = min(room, BATCH)
        if count <= 0:
            return []
        if rate is not None:
            self._next_at += count / rate
        drawn = [self._draw() for _ in range(count)]
        for intent in drawn:
            self._journal.write(intent)
            self._open[intent.client_id] = intent
        return drawn

    def _draw(self) -> Intent:
        # Ids rise from client to client, because a session keeps its highest for ever.
        self._last_id = max(self._last_id + 1, time.time_ns() // 1000)
        drawn = self.draw(self._random)
        return Intent(
            now(),
            self._scope,
            SESSION,
            self._last_id,
            drawn.account,
            drawn.symbol,
            drawn.side,
            f"{drawn.price_ticks // 100}.{drawn.price_ticks % 100:02d}",
            drawn.quantity,
        )

    def _recover(self, client: FixClient) -> None:
        """Ask for every order that has no answer, in the order of their ids."""
        asked = sorted(self._open)
        unknown = set(asked)
        never: list[int] = []
        for first in range(0, len(asked), BATCH):
            # Some are answered meanwhile without being asked for.
            chunk = [id for id in asked[first : first + BATCH] if id in self._open]
            client.send(
                tuple(("H", ((11, id), (55, self._open[id].symbol), (54, self._open[id].side))) for id in chunk)
            )
            until = time.monotonic() + ANSWER_SECONDS
            while unknown & set(chunk):
                if time.monotonic() > until or self.abandoned.is_set():
                    raise Disconnected("the state of orders is not told")
                for message in client.receive(WAIT_SECONDS):
                    id = _asked(message)
                    if id is None:
                        self._hear(message)
                    elif id in unknown:
                        unknown.discard(id)
                        if message.get(103) == NEVER_TAKEN:
                            never.append(id)
                        else:
                            self._known(id, message)
        again = [self._open[id] for id in sorted(never) if id in self._open]
        self.repeats += len(again)
        for first in range(0, len(again), BATCH):
            client.send(tuple(map(_order, again[first : first + BATCH])))

    def _known(self, id: int, message: Message) -> None:
        """The venue knows the order. What it refused before counts as unknown no more, but nobody can tell it from one that is done."""
        if id not in self._open:
            return
        if message.get(39) == "8":
            self._journal.write(Refused(now(), SESSION, id, REFUSED_BEFORE))
            del self._open[id]
        elif message.get(35) == "j":
            # Taken and not open any more: executed, or refused. Neither is a promise, so nothing is written down.
            del self._open[id]
            self._answered()
        else:
            self._acknowledged(id, 0)

    def _hear(self, message: Message) -> None:
        if message.get(35) != "8":
            return
        id, kind = int(message.get(11, "0")), message.get(150)
        if kind == "0":
            # A venue that goes away still tells what it took before; only what it takes now shows that it is there.
            if message.get(97) != "Y":
                self._taken()
            self._acknowledged(id, int(message[37]))
        elif kind == "F":
            self._acknowledged(id, int(message[37]))
            self._journal.write(Filled(now(), SESSION, id, message[17], int(message[32])))
        elif kind == "8" and id in self._open and not message.get(58, "").startswith("ID_NOT_RISING"):
            if message.get(58, "").startswith(("BUSY", "DRAINING", "JOURNAL_FULL")):
                raise Refusing(message.get(58, ""))
            self._journal.write(Refused(now(), SESSION, id, message.get(58, "")))
            self.refusals[message.get(58, "").partition(":")[0]] += 1
            del self._open[id]

    def _acknowledged(self, id: int, order_id: int) -> None:
        if self._open.pop(id, None) is not None:
            self._journal.write(Acknowledged(now(), SESSION, id, order_id))
            self._answered()

    def _answered(self) -> None:
        self.accepted += 1
        self.answered_at.append(time.monotonic())

    def _taken(self) -> None:
        at = time.monotonic()
        if self._interrupted:
            self.away_seconds.append(at - self.taken_at)
            self._interrupted = False
        self.taken_at = at


def _order(intent: Intent) -> tuple[str, tuple[tuple[int, object], ...]]:
    fields = (
        (11, intent.client_id),
        (1, intent.account),
        (55, intent.symbol),
        (54, intent.side),
        (40, 2),
        (44, intent.price),
        (38, intent.quantity),
    )
    return "D", fields


def _asked(message: Message) -> int | None:
    """The client id that an answer to a question is about."""
    if message.get(35) == "8" and message.get(150) == "I":
        return int(message[11])
    if message.get(35) == "j" and message.get(372) == "H":
        return int(message[379])
    return None
