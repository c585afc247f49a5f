"""What is said when RabbitMQ refuses access, by the texts of its versions."""

import pytest
from amqp.exceptions import AccessRefused, NotFound
from kombu.exceptions import OperationalError

from chassis import permissions

OLD = "ACCESS_REFUSED - access to {} 'shop' in vhost 'v' refused for user 'u'"
NEW = "ACCESS_REFUSED - {} access to queue 'shop' in vhost 'v' refused for user 'u'"


@pytest.mark.parametrize(
    ("kind", "method", "missing"),
    [
        ("exchange", (40, 10), "configure"),
        ("queue", (50, 10), "configure"),
        ("exchange", (50, 10), "write"),
        ("queue", (50, 20), "write"),
        ("exchange", (50, 20), "read"),
        ("exchange", (60, 40), "write"),
        ("queue", (60, 20), "read"),
        ("queue", (60, 70), "read"),
        ("queue", (50, 40), "configure, write or read"),
    ],
)
def test_the_missing_permission_follows_from_what_was_done(kind: str, method: tuple[int, int], missing: str) -> None:
    told = permissions.told(AccessRefused(OLD.format(kind), method))

    assert f"user 'u' may not access {kind} 'shop' of virtual host 'v': the permission {missing} is missing" in told


def test_what_the_broker_names_itself_counts() -> None:
    assert "the permission read is missing" in permissions.told(AccessRefused(NEW.format("read"), (50, 10)))


def test_an_error_that_a_library_wrapped_is_told_as_well() -> None:
    wrapped = OperationalError("x")
    wrapped.__cause__ = AccessRefused(OLD.format("queue"), (60, 20))

    assert "the permission read is missing" in permissions.told(wrapped)


@pytest.mark.parametrize("error", [NotFound("no queue", (50, 10)), AccessRefused("something else", (50, 10))])
def test_other_errors_are_told_as_they_are(error: Exception) -> None:
    assert "permission" not in permissions.told(error)
    assert permissions.told(error)


def test_only_declaring_can_be_done_without() -> None:
    refused = [
        permissions.refuses_declaring(AccessRefused("x", method)) for method in [(40, 10), (50, 10), (50, 20), (60, 40)]
    ]

    assert [True, True, True, False] == refused
    assert not permissions.refuses_declaring(NotFound("x", (50, 10)))
