"""The payment provider and the carrier, over HTTP. Whoever asks again with the same key gets the same answer, and no second effect."""

import json
import urllib.error
import urllib.request

PAYMENTS = "http://localhost:8081"
CARRIER = "http://localhost:8082"
TIMEOUT_SECONDS = 20


class Refused(Exception):
    """The answer is no, and it will be no next time."""


class Away(Exception):
    """No answer, or one that may be another next time."""


def charge(key, order_id, amount):
    """Take money from the customer's card; `amount` in cents. Raises Refused or Away."""
    body = {"order_id": order_id, "amount_minor": amount, "currency": "EUR", "card": "tok_visa"}
    return _post(f"{PAYMENTS}/charges", key, body)["charge_id"]


def refund(key):
    """Give back what was taken by this key. Raises Refused or Away."""
    return _post(f"{PAYMENTS}/charges/{key}/reverse", key, None)["status"]


def book_parcel(key, order_id, address):
    """Book a parcel; its tracking number. Raises Refused for an address that there is not, or Away."""
    body = {"order_id": order_id, "address": address, "weight_g": 500}
    return _post(f"{CARRIER}/shipments", key, body)["tracking_number"]


def _post(url, key, body):
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    data = b"" if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code in (429, *range(500, 600)):
            raise Away(f"{url} answered {error.code}") from None
        raise Refused(f"{url} answered {error.code}") from None
    except OSError as error:
        raise Away(f"{url}: {error}") from None
