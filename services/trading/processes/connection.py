"""A client's TCP connection: bytes in by one thread, bytes out by any, and nobody waits for a client that reads slowly."""

import socket
import threading
from collections.abc import Callable

from trading.adapters.fix.codec import Framer
from trading.adapters.fix.session import FixSession

UNREAD_BYTES = 4 << 20
"""What may wait for a client. One that is further behind is disconnected; it asks for the rest when it is back."""


class Connection:
    """One connection. `wake` is called when bytes have to wait, or when the connection broke, from any thread."""

    def __init__(self, sock: socket.socket, wake: Callable[[], None], now: float) -> None:
        self.socket, self._wake = sock, wake
        self.framer = Framer()
        self.session: FixSession | None = None
        self.since = now
        self.ending = False
        """It ends as soon as what waits is written."""
        self.broken = ""
        """Why it cannot go on."""
        self._waiting = bytearray()
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Send bytes, or keep what the socket does not take now; never waits and never raises."""
        with self._lock:
            if self.broken:
                return
            if not self._waiting:
                data = data[self._sent(data) :]
                if not data:
                    return
            self._waiting += data
            if len(self._waiting) > UNREAD_BYTES:
                self.broken = f"{len(self._waiting)} bytes were not read"
        self._wake()

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        with self._lock:
            if self._waiting and not self.broken:
                del self._waiting[: self._sent(bytes(self._waiting[:65536]))]

    @property
    def waits(self) -> bool:
        """Whether bytes wait to be sent."""
        return bool(self._waiting)

    def _sent(self, data: bytes) -> int:
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.broken = str(error)
            return len(data)
