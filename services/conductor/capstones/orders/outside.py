"""The outside programs that an order needs: payment provider, carrier and mail server."""

from collections.abc import Mapping, Sequence

from conductor.own_servers import OutsideProgram


def _payments(ports: Mapping[str, int], settings: Mapping[str, str]) -> Sequence[str]:
    return ("--host", "127.0.0.1", "--port", str(ports["payments"]))


def _carrier(ports: Mapping[str, int], settings: Mapping[str, str]) -> Sequence[str]:
    callback = f"http://127.0.0.1:{ports['api']}/callbacks/carrier"
    delay = settings.get("CARRIER_DELIVERY_DELAY_SECONDS", "2")
    where = ("--host", "127.0.0.1", "--port", str(ports["carrier"]))
    return (*where, "--callback-url", callback, "--delivery-delay-seconds", delay)


def _mail(ports: Mapping[str, int], settings: Mapping[str, str]) -> Sequence[str]:
    return ("--host", "127.0.0.1", "--smtp-port", str(ports["smtp"]), "--http-port", str(ports["mail"]))


OUTSIDE = (
    OutsideProgram("payments", 9101, {"payments": 8101}, _payments),
    OutsideProgram("carrier", 9102, {"carrier": 8102}, _carrier, secret="CARRIER_SECRET"),
    OutsideProgram("mail", 9103, {"mail": 8103, "smtp": 8025}, _mail, shows="messages"),
)


def environment(ports: Mapping[str, int]) -> Mapping[str, str]:
    """Where they answer, as the orders' settings call it."""
    return {
        "PAYMENTS_URL": f"http://127.0.0.1:{ports['payments']}",
        "CARRIER_URL": f"http://127.0.0.1:{ports['carrier']}",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(ports["smtp"]),
        "MAIL_FROM": "orders@capstone.example",
    }
