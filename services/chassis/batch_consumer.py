"""A queue whose messages are batches of data and no tasks, consumed by the worker's own consumer.

The handler of the queue gets what was delivered within a window; the messages are acknowledged after it returned. The consumer owns
the prefetch count, so a worker holds a bounded number of batches.

- A store that fails is a wait. The consumer stops consuming, tries again with backoff, and the heartbeat says `stalled`: alive and not
  ready. What is held stays held.
- A batch that was delivered before is applied alone, with nothing else held. Every new connection therefore begins with a prefetch count
  of 1, and gets the whole one after the first fresh batch. So a batch that ends its worker uses up its own deliveries, not those of others.
- A batch that cannot be read or applied is parked.
- A lost connection drops what is held, because the broker delivers it again. An end of the worker flushes it before the connection closes.

A batch may be applied twice: a worker may die between the flush and the acknowledgement. The handler must tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chassis import batch_traces, metrics
from chassis.batch_window import Held, Window, acknowledge
from chassis.errors import Permanent, Transient
from chassis.loggers import get_logger
from chassis.message_checks import Fault

log = get_logger(__name__)

RETRY_SECONDS = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Pauses between tries of a store that fails; the last one is repeated."""


class BatchHandler(Protocol):
    """What a service does with the batches of one queue. Each call must end well within the 30 s of `heartbeat.STALE_SECONDS`."""

    def read(self, body: bytes) -> Any:
        """One batch from the body of a message. Raises Permanent when it cannot be read, which parks the message."""

    def apply(self, batches: Sequence[Any]) -> None:
        """Apply batches, all or none of them.

        Raises Transient when the store cannot do it now: the same batches come again. Any other error makes each batch be applied alone;
        one that fails alone is parked.
        """

    def ping(self) -> None:
        """Return when the store answers. Raises Transient when it does not."""


@dataclass(frozen=True, slots=True)
class BatchQueue:
    """How a queue of batches is consumed."""

    handler: Callable[[], BatchHandler]
    """Makes the handler, in the process that uses it."""

    prefetch: int = 32
    """Most batches that one worker holds."""

    window_seconds: float = 0.25
    """Longest time that a batch waits for others; half of the prefetch count ends the window as well, so that the broker can deliver the
    other half meanwhile."""

    copies_of: tuple[str, ...] = ()
    """Other queues of batches of the service. What is published to one of them comes to this one as well."""


class BatchConsumer:
    """Consumes one queue of batches on behalf of a worker's consumer. Everything runs in the worker's event loop."""

    def __init__(self, consumer: Any, name: str, queue: BatchQueue) -> None:
        self._consumer = consumer
        self._name = name
        self._queue = queue
        self._system = consumer.app.settings.messaging_system
        self._handler: BatchHandler | None = None
        self._window = Window()
        self._next: Any = None  # the timer's entry of the next turn
        self._due_at_once = False
        self._failures = 0
        self._prefetch = 0  # 0 = not consuming
        self._trusting = False
        self.trouble = ""
        """Why nothing is consumed, empty while the store answers."""

    @property
    def held(self) -> int:
        """Number of batches that are not acknowledged."""
        return len(self._window)

    @property
    def withholding(self) -> bool:
        """Whether it keeps itself from consuming."""
        return bool(self.trouble or self._window.alone)

    def connected(self) -> None:
        """A new connection was made: begin with one batch at a time, or with none while the store fails."""
        self.lost()
        if self.trouble:
            self._consumer.app.amqp.queues.deselect(self._name)
            self._prefetch = 0

    def lost(self) -> None:
        """The connection is lost, and with it what is held."""
        self._window.clear()
        self._trusting = False
        self._prefetch = 1
        if not self.trouble:
            self._cancel_turn()

    def on_message(self, message: Any) -> None:
        """Hold a message until the next turn. Does nothing on the connection: it may be called while a method waits for its answer."""
        window = self._window
        window.add(message)
        if self.trouble:
            return
        enough = self._prefetch // 2 if self._trusting else 1
        if window.alone or len(window.fresh) >= enough:
            self._turn_in(0.0)
        elif self._next is None:
            self._turn_in(self._queue.window_seconds)

    def drain(self) -> None:
        """Flush what is held, before the connection closes. What the store does not take now is delivered again."""
        self._cancel_turn()
        try:
            self._withhold()
            while self._window.fresh or self._window.alone:
                self._flush()
        except (Transient, *self._consumer.connection_errors, *self._consumer.channel_errors) as error:
            log.warning("batches_given_back", queue=self._name, held=self.held, error=str(error))

    def turn(self) -> None:
        """Flush what is held, or try the store again; then consume. Raises what the connection raises."""
        self._next = None
        self._due_at_once = False
        try:
            self._turn()
        except Exception:
            # A lost connection cancels it; after anything else the worker must not hold batches without ever looking at them again.
            self._turn_in(RETRY_SECONDS[-1])
            raise

    def _turn(self) -> None:
        try:
            if self._window.alone and self._prefetch != 1:
                # With a prefetch count of 1 nothing comes beside it, and after its acknowledgement the next one does. To end consuming and
                # begin anew for each costs a quorum queue two entries of its log.
                self._withhold()
            if self._window.fresh or self._window.alone:
                self._flush()
            elif self.trouble:
                self._made().ping()
        except Transient as error:
            self._stall(error)
            return
        if self.trouble:
            log.info("store_answers", queue=self._name, held=self.held)
        self.trouble, self._failures = "", 0
        if self._window.fresh or self._window.alone:
            self._turn_in(0.0)
        else:
            self.take()

    def take(self) -> None:
        """Consume with the prefetch count that is right now; nothing is done while somebody or something wants none consumed."""
        consumer = self._consumer
        heartbeat = consumer.controller.worker_heartbeat
        if self.withholding or heartbeat.paused or heartbeat.standby or consumer.task_consumer is None:
            return
        wanted = self._queue.prefetch if self._trusting else 1
        consuming = consumer.task_consumer.consuming_from(self._name)
        if consuming and wanted == self._prefetch:
            return
        self._withhold()
        self._prefetch = wanted
        # A quorum queue applies a prefetch count to the consumers that begin after it.
        consumer.task_consumer.channel.basic_qos(0, wanted, False)
        consumer.consume_queue(self._name)

    def _made(self) -> BatchHandler:
        if self._handler is None:
            self._handler = self._queue.handler()
        return self._handler

    def _flush(self) -> None:
        """One flush: all that is fresh, or one that is to be applied alone."""
        window = self._window
        batches = window.fresh or window.alone[:1]
        self._trusting = batches is window.fresh and not window.alone
        readable = [held for held in batches if self._read(held)]
        if not readable:
            return
        try:
            with batch_traces.flushing(self._system, self._name, [held.message for held in readable]):
                self._made().apply([held.batch for held in readable])
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 - a worker that ended would only get the batch again
            if len(readable) == 1:
                reason = "permanent" if isinstance(error, Permanent) else "bug"
                self._park(readable[0], Fault(reason, f"cannot be applied: {error!r}"))
            else:
                self._trusting = False
                window.isolate()
            return
        window.take_out(readable)
        acknowledge(readable, window.oldest_tag())
        metrics.count(metrics.BATCHES, self._name, "applied", by=len(readable))

    def _read(self, held: Held) -> bool:
        if held.batch is None:
            try:
                held.batch = self._made().read(_body(held.message))
            except Transient:
                raise
            except Exception as error:  # noqa: BLE001 - in whatever way it is broken
                self._park(held, Fault("malformed", f"batch cannot be read: {error}"))
                return False
        return True

    def _park(self, held: Held, found: Fault) -> None:
        self._window.park(held)
        self._consumer.park(held.message, found)
        metrics.count(metrics.BATCHES, self._name, "parked")

    def _stall(self, error: Transient) -> None:
        if not self.trouble:
            log.warning("store_unavailable", queue=self._name, held=self.held, error=str(error))
        self.trouble = str(error)
        pause = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        self._turn_in(pause)
        self._withhold()

    def _withhold(self) -> None:
        tasks = self._consumer.task_consumer
        if tasks is not None and tasks.consuming_from(self._name):
            tasks.cancel_by_queue(self._name)
        self._prefetch = 0

    def _turn_in(self, seconds: float) -> None:
        if self._due_at_once:
            return
        self._cancel_turn()
        self._due_at_once = seconds == 0
        self._next = self._consumer.timer.call_after(seconds, self.turn)

    def _cancel_turn(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._due_at_once = False


def _body(message: Any) -> bytes:
    body = message.body
    return body.encode() if isinstance(body, str) else bytes(body)
