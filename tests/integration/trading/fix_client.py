"""A client of FIX 4.4, its messages made and read by simplefix, so that both ends are not of one hand."""

import socket
import time
from typing import Self

import simplefix

VENUE, PASSWORD = "VENUE", "secret"
PATIENCE_SECONDS = 15.0


class FixClient:
    """One connection of a client by its number. It trades the symbol of the same number."""

    def __init__(self, port: int, number: int = 1, next_out: int = 1) -> None:
        self.port, self.number, self.company, self.symbol = port, number, f"CLIENT{number}", f"SYM{number}"
        self.next_out, self._parser = next_out, simplefix.FixParser()
        until = time.monotonic() + PATIENCE_SECONDS
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=until - time.monotonic())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def again(self) -> "FixClient":
        """Another connection of the same client, its numbers going on."""
        return FixClient(self.port, self.number, self.next_out)

    def log_on(
        self, *fields: tuple[int, object], reset: bool = False, password: str = PASSWORD
    ) -> simplefix.FixMessage:
        """Log on; gives the answer."""
        more = [(141, "Y")] if reset else []
        self.send("A", (98, 0), (108, 30), (554, password), *more, *fields)
        return self.receive("A")

    def send(self, kind: str, *fields: tuple[int, object], number: int | None = None) -> int:
        """Send a message; gives its number."""
        if number is None:
            number, self.next_out = self.next_out, self.next_out + 1
        self.socket.sendall(self.message(kind, number, *fields))
        return number

    def message(self, kind: str, number: int, *fields: tuple[int, object]) -> bytes:
        """The bytes of a message."""
        message = simplefix.FixMessage()
        message.append_pair(8, "FIX.4.4")
        message.append_pair(35, kind)
        for tag, value in ((49, self.company), (56, VENUE), (34, number)):
            message.append_pair(tag, value)
        message.append_utc_timestamp(52)
        for tag, value in fields:
            message.append_pair(tag, value)
        return message.encode()

    def order(self, client_id: int, side: int = 1, price: str = "10.00", quantity: int = 1, **more: object) -> int:
        """Send a new limit order."""
        account = more.pop("account", 1)
        fields = [(11, client_id), (1, account), (55, self.symbol), (54, side), (40, 2), (44, price), (38, quantity)]
        return self.send("D", *fields, (59, more.pop("time_in_force", 0)))

    def receive(self, *kinds: str) -> simplefix.FixMessage:
        """The next message, which is of one of these kinds; heartbeats of both sorts are left out unless asked for."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            message = self._parser.get_message()
            if message is not None:
                kind = message.get(35).decode()
                if kind in kinds or not kinds:
                    return message
                assert kind in "01", f"{kind} instead of {kinds}: {message.get(58)}"
                continue
            self.socket.settimeout(max(until - time.monotonic(), 0.01))
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionResetError("the venue closed the connection")
            self._parser.append_buffer(data)
