"""Mail by SMTP, one dialogue at a time on a connection that is kept for the next (one a thread, none across a fork).

What a broken dialogue means depends on where it broke: before the message was sent nothing was taken; after it, nobody
knows. A reply is read by its first digit (RFC 5321, 4.2.1). After one that is out of place the connection is given up, because
from then on nobody can tell which reply is whose.
"""

import os
import re
import smtplib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from chassis import tracing
from chassis.errors import Permanent, Transient
from chassis.tracing import Kind
from orders.adapters.answers import storable
from orders.adapters.letters import letter, mailbox
from orders.adapters.smtp_dialogue import Dialogue
from orders.adapters.wire import Guarded
from orders.ports import Mail, UnknownOutcome

# A line that begins with a dot gets another (RFC 5321, 4.5.2).
_DOT = re.compile(rb"^\.", re.MULTILINE)
# First digits: done, and "send the text".
_DONE, _GO_ON = 2, 3
# The server closes the connection after this reply.
_CLOSING = 421


class SmtpMailer:
    """`orders.ports.Mailer` over SMTP to `host`:`port`."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        sender: str,
        connect_seconds: float = 1.0,
        total_seconds: float = 3.0,
        taken_seconds: float = 20.0,
        breaker: Guarded | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`sender` is the address every mail comes from; each reply of the server may take `total_seconds`, the one to the text
        `taken_seconds`: who gives up on it has the mail sent twice (RFC 5321, 4.5.3.2.6).
        """
        self._host = host
        self._port = port
        self._sender = sender
        self._connect_seconds = connect_seconds
        self._reply_seconds = total_seconds
        self._taken_seconds = taken_seconds
        self._breaker = breaker
        self._clock = clock
        self._kept = threading.local()

    def send(self, mail: Mail) -> None:
        """Return once the server has taken it.

        Raises Transient when it was not taken, UnknownOutcome when the connection was lost after the text, Permanent when
        the server, or the address itself, rules it out for good.
        """
        data = letter(mail, sender=self._sender, now=self._clock())
        with nullcontext() if self._breaker is None else self._breaker.guard(), self._span():
            try:
                smtp = self._begun(mail)
                self._hand_in(smtp, data)
            except (Transient, Permanent):
                raise
            except BaseException:
                # Cut short, for example by the soft time limit: a reply may still come, and is not the next mail's.
                self._drop()
                raise

    def _span(self) -> AbstractContextManager[Any]:
        return tracing.span(
            "SMTP DATA",
            Kind.CLIENT,
            network__protocol__name="smtp",
            peer__service="mail server",
            server__address=self._host,
            server__port=self._port,
        )

    def _begun(self, mail: Mail) -> Dialogue:
        """A dialogue that has come to the text. A kept connection may have been closed meanwhile: then one more, anew."""
        kept = self._kept_connection()
        if kept is not None:
            try:
                self._open_message(kept, mail)
            except _Closed:
                self._drop()
            else:
                return kept
        smtp = self._connected()
        try:
            self._open_message(smtp, mail)
        except _Closed as error:
            self._drop()
            raise Transient(f"mail server {self._host}:{self._port} broke off: {error}") from error
        return smtp

    def _open_message(self, smtp: Dialogue, mail: Mail) -> None:
        try:
            try:
                self._expect(smtp.mail(self._sender), _DONE)
                self._expect(smtp.rcpt(mailbox(mail.to)), _DONE)
                self._expect(smtp.docmd("DATA"), _GO_ON)
            except (Transient, Permanent):
                # The dialogue goes on with the next mail, once this one is dropped.
                if not _forgotten(smtp):
                    self._drop()
                raise
        except (OSError, smtplib.SMTPException) as error:
            raise _Closed(storable(str(error))) from error

    def _hand_in(self, smtp: Dialogue, data: bytes) -> None:
        server = f"mail server {self._host}:{self._port}"
        try:
            smtp.send(_DOT.sub(b"..", data) + (b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"))
            smtp.reply_seconds = self._taken_seconds
            reply = smtp.getreply()
            smtp.reply_seconds = self._reply_seconds
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise UnknownOutcome(f"{server} broke off after the text: {storable(str(error))}") from error
        try:
            self._expect(reply, _DONE)
        except _Closed as error:
            self._drop()
            if reply[0] == _CLOSING:
                raise Transient(str(error)) from error
            raise UnknownOutcome(str(error)) from error

    def _expect(self, reply: tuple[int, bytes], first_digit: int) -> None:
        code, text = reply
        kind = code // 100
        if kind == first_digit:
            return
        shown = storable(text.decode(errors="replace"))
        says = f"mail server {self._host}:{self._port} answered {code} {shown}"
        if kind not in (4, 5) or code == _CLOSING:
            raise _Closed(says)
        raise Permanent(says) if kind == 5 else Transient(says)

    def _kept_connection(self) -> Dialogue | None:
        kept: tuple[int, Dialogue] | None = getattr(self._kept, "connection", None)
        # A connection of the parent process is the parent's.
        return kept[1] if kept is not None and kept[0] == os.getpid() else None

    def _connected(self) -> Dialogue:
        smtp: Dialogue | None = None
        try:
            # A given name keeps smtplib from asking DNS for ours, which can take seconds.
            smtp = Dialogue(
                self._host,
                self._port,
                local_hostname=self._sender.rpartition("@")[2],
                connect_seconds=self._connect_seconds,
            )
            smtp.ehlo_or_helo_if_needed()
        except (OSError, smtplib.SMTPException) as error:
            if smtp is not None:
                smtp.close()
            why = storable(str(error))
            raise Transient(f"mail server {self._host}:{self._port} cannot be reached: {why}") from error
        smtp.reply_seconds = self._reply_seconds
        self._kept.connection = os.getpid(), smtp
        return smtp

    def _drop(self) -> None:
        kept = self._kept_connection()
        if kept is not None:
            kept.close()
        self._kept.connection = None


def _forgotten(smtp: Dialogue) -> bool:
    """The server dropped the mail that was begun, and says so."""
    try:
        return smtp.rset()[0] // 100 == _DONE
    except (OSError, smtplib.SMTPException):
        return False


class _Closed(Exception):
    """The server ended the dialogue before it had the text, or nobody can follow it any more."""
