"""What RabbitMQ means when it refuses access: which permission a user lacks, and on what. Pure.

A user has three permissions in a virtual host, each a pattern of names. A declaration needs `configure`; a binding `write` on the queue and
`read` on the exchange; a queue with a dead-letter exchange also `read` on itself and `write` on that exchange; a publication `write` on the
exchange; a consumer `read` on the queue. RabbitMQ 3 says only on what access was refused, RabbitMQ 4 also which.
Source: https://www.rabbitmq.com/docs/access-control, table "Authorisation".
"""

import re

from amqp.exceptions import AccessRefused

_CONFIGURE, _WRITE, _READ = "configure", "write", "read"

_NEEDED = {
    ("exchange", (40, 10)): _CONFIGURE,  # exchange.declare
    ("queue", (50, 10)): _CONFIGURE,  # queue.declare
    ("exchange", (50, 10)): _WRITE,  # its dead-letter exchange
    ("queue", (50, 20)): _WRITE,  # queue.bind
    ("exchange", (50, 20)): _READ,
    ("exchange", (60, 40)): _WRITE,  # basic.publish
    ("queue", (60, 20)): _READ,  # basic.consume
    ("queue", (60, 70)): _READ,  # basic.get
}
"""By what was accessed and the AMQP method (class, method)."""

_TEXT = re.compile(
    r"(?:(?P<named>configure|write|read) )?access to (?P<kind>queue|exchange) '(?P<name>[^']*)' "
    r"in vhost '(?P<vhost>[^']*)' refused for user '(?P<user>[^']*)'"
)


_DECLARING = ((40, 10), (50, 10), (50, 20))


def refuses_declaring(error: BaseException) -> bool:
    """Whether the user may not declare or bind, of whatever else he may do."""
    refused = error if isinstance(error, AccessRefused) else error.__cause__
    return isinstance(refused, AccessRefused) and refused.method_sig in _DECLARING


def told(error: BaseException) -> str:
    """The error as a sentence; where it is a refused access, with the permission that is missing."""
    refused = error if isinstance(error, AccessRefused) else error.__cause__
    if not isinstance(refused, AccessRefused):
        return str(error) or repr(error)
    text = str(refused.reply_text)
    found = _TEXT.search(text)
    if found is None:
        return text
    missing = found["named"] or _NEEDED.get((found["kind"], refused.method_sig), "configure, write or read")
    return (
        f"user {found['user']!r} may not access {found['kind']} {found['name']!r} of virtual host {found['vhost']!r}: "
        f"the permission {missing} is missing ({text})"
    )
