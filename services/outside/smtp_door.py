"""The SMTP side of the mail server: takes a message once it is in the store, and fails on demand.

Faults: `reject` answers 451 and keeps nothing; `drop_after` keeps the message and breaks the connection before the
final reply, so that the sender cannot know; `slow` waits first; `garbled` answers a mail's begin with a line that is no reply, or
its text with one that says by its code alone that it was taken. During an outage every message is answered 421.
Addresses under `.invalid` (RFC 2606) are refused for good with 550.
"""

import asyncio
import logging
import weakref
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from outside import garbled
from outside.faults import Faults
from outside.gate import Gate
from outside.mailbox import Mailbox, Received
from outside.store import Store

log = logging.getLogger(__name__)

FAULTS = ("reject", "drop_after", "slow", "garbled")

# A mail with a label inside is far below this.
MAX_MESSAGE_BYTES = 1024 * 1024
# A pooled connection may rest this long between two mails (RFC 5321, 4.5.3.2.7, asks for five minutes).
IDLE_SECONDS = 300.0

OUT_OF_SERVICE = "421 4.3.2 out of service"


class Door:
    """Handles what clients of the SMTP port say (hooks of aiosmtpd)."""

    def __init__(self, mailbox: Mailbox, store: Store, faults: Faults, gate: Gate) -> None:
        self._mailbox = mailbox
        self._store = store
        self._faults = faults
        self._gate = gate
        self._open: weakref.WeakSet[SMTP] = weakref.WeakSet()

    def connection(self) -> SMTP:
        """A protocol for one more connection (argument of `loop.create_server`)."""
        # A given host name keeps the library from asking DNS, which can take seconds.
        protocol = SMTP(
            self,
            hostname="mail.outside",
            ident="ESMTP",
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            timeout=IDLE_SECONDS,
            loop=asyncio.get_running_loop(),
        )
        self._open.add(protocol)
        return protocol

    def close(self) -> None:
        """Break every connection: what is not in the store now was never answered, and its sender tries again."""
        for protocol in self._open:
            if protocol.transport is not None:
                protocol.transport.abort()

    async def handle_exception(self, error: Exception) -> str:
        """A fault of ours is temporary; the library would answer 500, which tells the sender to give up."""
        log.error("not taken", exc_info=error)
        return "451 4.3.0 local error"

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """MAIL FROM: refused during an outage. Whose mail it is is not known yet, so a plan for some orders does not hit it."""
        outage = self._faults.outage
        if outage is not None:
            if outage.mode == "hang":
                await self._gate.hold(min(outage.hang_seconds, self._faults.outage_left_seconds))
            return OUT_OF_SERVICE
        if self._faults.draw(("garbled",), None):
            return self._faults.rng.choice(garbled.NO_REPLIES)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """RCPT TO: refused for good where no mail can go."""
        if address.rpartition("@")[2].casefold().endswith(".invalid"):
            return "550 5.1.2 no such domain"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        """The message: answered once it is kept."""
        raw: Any = envelope.content
        message = Received.read(list(envelope.rcpt_tos), raw)
        fault = self._faults.draw(FAULTS, message.order_id)
        plan = self._faults.plan
        if fault == "reject":
            return "451 4.3.0 try again later"
        if fault == "slow" and plan is not None:
            await self._gate.hold(plan.slow_seconds)
        self._mailbox.take(message)
        await self._store.committed()
        if fault == "drop_after":
            server.transport.abort()
        return self._faults.rng.choice(garbled.REPLIES) if fault == "garbled" else "250 OK"
