"""Only the carrier's own words of the last five minutes are taken."""

import hashlib
import hmac

import pytest

from orders.usecases.callbacks import verify, verify_time
from orders.usecases.errors import BadSignature

NOW = 1_700_000_000.0
BODY = b'{"event_id": "e-1"}'


def sign(timestamp: str, body: bytes = BODY, secret: str = "s") -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("age", [-300, -1, 0, 1, 300])
def test_a_signature_within_the_window_is_good(age: int) -> None:
    verify_time(str(int(NOW) - age), NOW)


@pytest.mark.parametrize("age", [-301, 301, 86_400])
def test_a_signature_outside_the_window_is_refused_both_ways(age: int) -> None:
    with pytest.raises(BadSignature, match="X-Carrier-Timestamp"):
        verify_time(str(int(NOW) - age), NOW)


@pytest.mark.parametrize("timestamp", ["", "now", "1e9", "-1", "1700000000.0", "²", "9" * 13, " 1700000000"])
def test_a_signed_timestamp_that_is_no_number_of_seconds_is_refused(timestamp: str) -> None:
    with pytest.raises(BadSignature, match="X-Carrier-Timestamp"):
        verify_time(timestamp, NOW)


def test_the_carriers_own_words_are_good() -> None:
    verify("s", str(int(NOW)), sign(str(int(NOW))), BODY)


def test_another_body_is_refused() -> None:
    timestamp = str(int(NOW))

    with pytest.raises(BadSignature, match="X-Carrier-Signature"):
        verify("s", timestamp, sign(timestamp), BODY + b" ")


def test_a_signature_cannot_be_moved_to_another_time() -> None:
    earlier, now = str(int(NOW) - 600), str(int(NOW))

    with pytest.raises(BadSignature, match="X-Carrier-Signature"):
        verify("s", now, sign(earlier), BODY)


def test_another_secret_is_refused() -> None:
    timestamp = str(int(NOW))

    with pytest.raises(BadSignature, match="X-Carrier-Signature"):
        verify("s", timestamp, sign(timestamp, secret="t"), BODY)


def test_without_a_secret_every_callback_is_refused() -> None:
    timestamp = str(int(NOW))

    with pytest.raises(BadSignature, match="X-Carrier-Signature"):
        verify("", timestamp, sign(timestamp, secret=""), BODY)


@pytest.mark.parametrize("signature", ["", "é", "0" * 64])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature, match="X-Carrier-Signature"):
        verify("s", str(int(NOW)), signature, BODY)
