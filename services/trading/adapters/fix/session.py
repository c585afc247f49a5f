"""The session level of FIX for one client: sequence numbers, gaps, repeats, heartbeats. Knows no socket; time is an argument.

Both sequence numbers survive a SIGKILL of the gateway (a mapped file). The messages that were sent are kept in memory only, the last
KEPT of them: what is older, or was sent by a gateway that is gone, is gap-filled when a client asks for it again, and outcomes that
were perhaps not passed on come from the journal as new messages with PossResend.
"""

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum

from trading.adapters.fix import terms
from trading.adapters.fix.codec import Fields, encode
from trading.adapters.fix.directory import Login
from trading.adapters.kept_numbers import KeptNumbers

KEPT = 10_000
IN, OUT = 0, 1
LEAST_HEARTBEAT, MOST_HEARTBEAT = 1, 60


class Verdict(Enum):
    """What becomes of a message that was received."""

    TAKE = "take"
    """It is the next one; the session has counted it."""
    IGNORE = "ignore"
    """It was taken before, comes too early, or was answered by the session itself."""
    END = "end"
    """The connection ends; the client was told why."""


class FixSession:
    """One client's session, over all its connections. `send` may be called by several threads, the rest by one."""

    def __init__(self, company: bytes, login: Login, numbers: KeptNumbers, stamp: Callable[[], bytes]) -> None:
        self.login, self._numbers, self._stamp = login, numbers, stamp
        self._head = b"49=%b\x0156=%b\x0134=" % (company, login.company)
        self._sent: deque[tuple[int, bytes, bytes, bytes]] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._asked_from = 0
        self.write: Callable[[bytes], None] | None = None
        """Where bytes go; None while nobody is connected."""
        self.heartbeat_seconds = 30.0
        self.last_in = self.last_out = 0.0
        self._test_sent = False
        self._seen_out = 0

    def send(self, kind: bytes, body: bytes) -> None:
        """Give a message its number and send it, or keep it until the client connects and asks for it."""
        with self._lock:
            number = self._numbers[OUT]
            self._numbers[OUT] = number + 1
            stamp = self._stamp()
            if kind not in terms.ADMINISTRATIVE:
                self._sent.append((number, kind, stamp, body))
            if self.write:
                self.write(encode(b"35=%b\x01%b%d\x0152=%b\x01%b" % (kind, self._head, number, stamp, body)))

    def log_on(self, fields: Fields, write: Callable[[bytes], None], now: float) -> Verdict:
        """Answer a Logon whose client and password are right."""
        try:
            heartbeat = int(fields.get(terms.HEART_BT_INT, b""))
        except ValueError:
            heartbeat = -1
        self.write = write
        if not LEAST_HEARTBEAT <= heartbeat <= MOST_HEARTBEAT:
            return self.log_out(
                f"HeartBtInt is {LEAST_HEARTBEAT} to {MOST_HEARTBEAT} seconds, got {_text(fields.get(terms.HEART_BT_INT))}"
            )
        number = _number(fields.get(terms.MSG_SEQ_NUM))
        reset = fields.get(terms.RESET_SEQ_NUM) == b"Y"
        if reset:
            with self._lock:
                self._numbers[IN] = self._numbers[OUT] = 1
                self._sent.clear()
        if number < self._numbers[IN]:
            return self._too_low(number)
        self.heartbeat_seconds, self.last_in, self._test_sent, self._asked_from = heartbeat, now, False, 0
        self.send(terms.LOGON, b"98=0\x01108=%d\x01%b" % (heartbeat, b"141=Y\x01" if reset else b""))
        if number > self._numbers[IN]:
            self._ask_again(number)
        else:
            self._numbers[IN] = number + 1
        return Verdict.IGNORE

    def receive(self, fields: Fields, now: float) -> Verdict:
        """Judge a message of a client that is logged on, and answer those of the session level."""
        self.last_in, self._test_sent = now, False
        kind, number = fields[terms.MSG_TYPE], _number(fields.get(terms.MSG_SEQ_NUM))
        if number < 1:
            return self.log_out(f"MsgSeqNum is a number from 1 on, got {_text(fields.get(terms.MSG_SEQ_NUM))}")
        if kind == terms.SEQUENCE_RESET and fields.get(terms.GAP_FILL) != b"Y":
            return self._reset(fields)
        expected = self._numbers[IN]
        if number > expected:
            # What a client asks for is sent although something is missing before it: both may wait for each other else.
            if kind == terms.RESEND_REQUEST:
                self._resend(fields)
            self._ask_again(number)
            return Verdict.IGNORE
        if number < expected:
            return Verdict.IGNORE if fields.get(terms.POSS_DUP) == b"Y" else self._too_low(number)
        if kind == terms.SEQUENCE_RESET:
            return self._reset(fields)
        self._numbers[IN] = number + 1
        if self._asked_from and number + 1 > self._asked_from:
            self._asked_from = 0
        if kind in terms.APPLICATION:
            return Verdict.TAKE
        if kind == terms.TEST_REQUEST:
            self.send(terms.HEARTBEAT, b"112=%b\x01" % fields.get(terms.TEST_REQ_ID, b"-"))
        elif kind == terms.RESEND_REQUEST:
            self._resend(fields)
        elif kind == terms.LOGOUT:
            return self.log_out("")
        elif kind == terms.LOGON:
            return self.log_out("this session is logged on already")
        elif kind not in terms.ADMINISTRATIVE:
            self.send(
                terms.BUSINESS_REJECT, b"45=%d\x01372=%b\x01380=3\x0158=unsupported message type\x01" % (number, kind)
            )
        return Verdict.IGNORE

    def tick(self, now: float) -> Verdict:
        """Send heartbeats and test requests; END when the client has been silent for too long."""
        silent = now - self.last_in
        if silent > 2.4 * self.heartbeat_seconds:
            return self.log_out(f"nothing came for {silent:.0f} s")
        if silent > 1.2 * self.heartbeat_seconds and not self._test_sent:
            self._test_sent = True
            self.send(terms.TEST_REQUEST, b"112=alive?\x01")
        if self._numbers[OUT] != self._seen_out:
            self._seen_out, self.last_out = self._numbers[OUT], now
        elif now - self.last_out >= self.heartbeat_seconds:
            self.send(terms.HEARTBEAT, b"")
        return Verdict.IGNORE

    def reject(self, number: bytes, kind: bytes, tag: int, reason: int, text: str) -> None:
        """Refuse a message at the session level: `reason` is SessionRejectReason."""
        self.send(
            terms.REJECT,
            b"45=%b\x01371=%d\x01372=%b\x01373=%d\x0158=%b\x01" % (number, tag, kind, reason, text.encode()),
        )

    def log_out(self, text: str) -> Verdict:
        """Say goodbye, with the reason if there is one."""
        self.send(terms.LOGOUT, b"58=%b\x01" % text.encode() if text else b"")
        return Verdict.END

    def _too_low(self, number: int) -> Verdict:
        return self.log_out(f"MsgSeqNum too low, expecting {self._numbers[IN]} but received {number}")

    def _ask_again(self, number: int) -> None:
        """Ask for what is missing, once a gap."""
        if not self._asked_from:
            self._asked_from = number
            self.send(terms.RESEND_REQUEST, b"7=%d\x0116=0\x01" % self._numbers[IN])

    def _reset(self, fields: Fields) -> Verdict:
        new = _number(fields.get(terms.NEW_SEQ_NO))
        if new <= self._numbers[IN] - (fields.get(terms.GAP_FILL) != b"Y"):
            number = fields.get(terms.MSG_SEQ_NUM, b"0")
            self.reject(number, terms.SEQUENCE_RESET, terms.NEW_SEQ_NO, 5, f"NewSeqNo is not above {self._numbers[IN]}")
            return Verdict.IGNORE
        self._numbers[IN], self._asked_from = new, 0
        return Verdict.IGNORE

    def _resend(self, fields: Fields) -> None:
        """Send again what was asked for, with gap fills in the place of what is not kept."""
        first, last = _number(fields.get(terms.BEGIN_SEQ)), _number(fields.get(terms.END_SEQ))
        with self._lock:
            end = self._numbers[OUT] if last <= 0 else min(last + 1, self._numbers[OUT])
            if first < 1 or first >= end or not self.write:
                return
            at = first
            for number, kind, stamp, body in list(self._sent):
                if not first <= number < end:
                    continue
                if number > at:
                    self.write(self._gap(at, number))
                repeated = b"35=%b\x01%b%d\x0143=Y\x01122=%b\x0152=%b\x01%b"
                self.write(encode(repeated % (kind, self._head, number, stamp, self._stamp(), body)))
                at = number + 1
            if at < end:
                self.write(self._gap(at, end))

    def _gap(self, number: int, following: int) -> bytes:
        body = b"35=4\x01%b%d\x0143=Y\x0152=%b\x01123=Y\x0136=%d\x01"
        return encode(body % (self._head, number, self._stamp(), following))


def _number(value: bytes | None) -> int:
    """A number of at most 9 digits; -1 for anything else."""
    return int(value) if value and value.isdigit() and len(value) < 10 else -1


def _text(value: bytes | None) -> str:
    return "nothing" if value is None else value.decode("ascii", "backslashreplace")
