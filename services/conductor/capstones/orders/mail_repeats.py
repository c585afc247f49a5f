"""Which deaths excuse a mail that came twice. Pure.

SMTP has no key by which a server could tell a repeat, so a sender that dies between the server's last word and our record sends again.
"""

from conductor.history import Kill

MAIL_SENDERS = ("notifications", "postgres")
"""Whose death between the server's last word and our record of it repeats a mail: the worker's, or the database's that forgot."""

LATE_SECONDS = 10.0
"""How long after its sender's death a mail server may take the mail whose text it already had, on a busy machine."""


def explains(kill: Kill, command: str, first: float, second: float) -> bool:
    """Whether the mail was repeated because of this kill.

    A kill that names the command hit its very sender; the server may have taken the first mail a little later, from what it had in hand.
    A server that was away could not record a mail that was sent meanwhile, and one that was restored has forgotten what it recorded. A pod
    that is deleted by force lives on until its node hears of it, so its sender may have died some time after the call.
    """
    if kill.until is not None and kill.which == "restore":
        return kill.at - LATE_SECONDS <= first <= kill.until
    if kill.until is not None:
        late = 0.0 if kill.which == "server" else LATE_SECONDS
        return kill.pool in MAIL_SENDERS and first - late <= kill.until and kill.at <= second
    if kill.commands:
        return command in kill.commands and first - LATE_SECONDS <= kill.at <= second
    return kill.pool in MAIL_SENDERS and first <= kill.at <= second
