"""The thread of the gateway that waits for outcomes: it writes the reports of sessions and the answers of the doors."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from trading.adapters.fix.reports import Reports
from trading.adapters.fix.requests import Request
from trading.adapters.fix.session import FixSession
from trading.adapters.kept_numbers import KeptNumbers
from trading.adapters.layouts import END, MARK, REPEATED, STATUS, decode_outcome, flags_of
from trading.adapters.ring import Receiver
from trading.domain.terms import Outcome
from trading.processes.control import Control

log = logging.getLogger(__name__)

CANCELLED = int(Outcome.CANCELLED)
WAIT_SECONDS = 0.1
BEAT_SECONDS = 0.5
"""A thread that shows nothing for so long shows no sign of life."""


class Reporting:
    """The thread. `ended` is called from it when the engine has said its last."""

    def __init__(
        self,
        reported: Path,
        outcomes: Receiver,
        reports: Reports,
        sessions: Mapping[int, FixSession],
        control: Control,
        ended: Callable[[], None],
    ) -> None:
        self._reported, self._outcomes, self._reports = reported, outcomes, reports
        self._sessions, self._control, self._call_ended = sessions, control, ended
        self.pending: dict[int, dict[int, Request]] = {id: {} for id in sessions}
        """By session and client id, requests whose outcomes are to come."""
        self.told = 0
        """Reports so far."""
        self.ended = False
        self._beat = time.monotonic()

    def start(self) -> None:
        """Begin. The process does not outlive the thread."""
        threading.Thread(target=self._run, name="reports", daemon=True).start()

    def alive(self, now: float) -> bool:
        """Whether it turns."""
        return now - self._beat < BEAT_SECONDS

    def _run(self) -> None:
        try:
            self._report_until_the_end()
        except BaseException:
            log.exception("reports_failed")
            os._exit(1)

    def _report_until_the_end(self) -> None:
        reported = KeptNumbers(self._reported, 1)
        while not self.ended:
            message = self._outcomes.wait(WAIT_SECONDS)
            self._beat = time.monotonic()
            while message is not None:
                # Outcomes may come without a pause.
                self._beat = time.monotonic()
                kind = message[0]
                if kind == MARK:
                    reported[0] = decode_outcome(message)[1]
                elif kind == END:
                    self.ended = True
                    self._call_ended()
                else:
                    self._tell(message)
                message = self._outcomes.next()

    def _tell(self, message: bytes) -> None:
        outcome, repeated = decode_outcome(message), flags_of(message) & REPEATED
        if repeated and outcome[0] == STATUS:
            return self._reports.follow(outcome)
        session = self._sessions.get(outcome[1])
        if (not repeated and self._control.told(outcome)) or session is None:
            return None
        pending = self.pending[outcome[1]]
        told = self._reports.message(outcome, pending.pop(outcome[2], None))
        if outcome[0] == CANCELLED:
            pending.pop(outcome[9], None)
        if told:
            self.told += 1
            kind, body = told
            session.send(kind, body + b"97=Y\x01" if repeated else body)
        return None
