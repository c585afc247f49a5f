"""The relay under test, and a look into the queues that it fills."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from desk import patient

from chassis.app import ChassisApp, make_app
from chassis.declare import declare_app
from chassis.relay import Relay
from chassis.settings import ServiceSettings

QUEUES = ("shop.till", "shop.stock")


class RelayHeartbeat:
    """Keeps what the relay said of itself."""

    def __init__(self) -> None:
        self.beats: list[bool] = []
        self.at: list[float] = []
        self.details: list[str] = []

    def beat(self, *, broker_ok: bool, detail: str = "") -> None:
        self.at.append(time.monotonic())
        self.details.append(detail)
        self.beats.append(broker_ok)


class Post:
    """A relay between one database and one broker, and the broker as a reader sees it."""

    def __init__(
        self, database_url: str, broker_url: str, *, relay_broker_url: str | None = None, patience_seconds: float = 2.0
    ) -> None:
        """`relay_broker_url` is the relay's own way to the broker, when it is not the reader's."""
        self._patience_seconds = patience_seconds
        self.app = self._app(broker_url)
        self._relay_app = self._app(relay_broker_url or broker_url)
        self.engine = patient(database_url)
        self.declared = 0
        self.heartbeat = RelayHeartbeat()

    def _app(self, broker_url: str) -> ChassisApp:
        settings = ServiceSettings(broker_url=broker_url, database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
        return make_app("shop", QUEUES, settings.replace(publish_timeout_seconds=self._patience_seconds))

    def relay(self, **options: Any) -> Relay:
        values = {"batch": {}, "default_batch": 2, "lease_seconds": 30.0, "heartbeat": self.heartbeat, **options}
        return Relay(self.engine, self._relay_app, exchange="shop", declare=self._declare, **values)

    def _declare(self) -> None:
        declare_app(self._relay_app)
        self.declared += 1

    @contextmanager
    def running(self, relay: Relay) -> Iterator[None]:
        """The relay's loop, until the end of the block."""
        thread = threading.Thread(target=relay.run)
        thread.start()
        try:
            yield
        finally:
            relay.stop()
            thread.join(20)
        assert not thread.is_alive()

    def take(self, queue: str = "shop.till") -> Any:
        """The next message of a queue, taken out of it; None when there is none."""
        with self.app.connection_for_read() as connection:
            return self.app.amqp.queues[queue](connection.channel()).get(no_ack=True)

    def taken(self, queue: str = "shop.till") -> list[tuple[str, list[int]]]:
        """Task and command ids of all messages of a queue, taken out of it."""
        with self.app.connection_for_read() as connection:
            bound = self.app.amqp.queues[queue](connection.channel())
            messages = iter(lambda: bound.get(no_ack=True), None)
            return [(m.headers["task"], m.payload[1]["ids"]) for m in messages]

    def wait_for(self, queue: str = "shop.till", seconds: float = 20.0) -> float:
        """When the next message of a queue was there, by the clock of the database's host."""
        deadline = time.monotonic() + seconds
        with self.app.connection_for_read() as connection:
            bound = self.app.amqp.queues[queue](connection.channel())
            while bound.get(no_ack=True) is None:
                assert time.monotonic() < deadline, f"no message in {queue}"
            return time.time()

    def lose_everything(self) -> None:
        """What a broker without its disk would come back with: no message, no queue, no exchange."""
        with self.app.connection_for_write() as connection:
            channel: Any = connection.channel()
            if connection.transport.driver_type == "redis":
                channel.client.flushdb()
                return
            for name in QUEUES:
                channel.queue_delete(name)
            channel.exchange_delete("shop")

    def close(self) -> None:
        for app in (self.app, self._relay_app):
            app.close()
        self.engine.dispose()
