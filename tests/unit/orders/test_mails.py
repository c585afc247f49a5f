"""A mail that is owed is sent once a command, and recorded at once."""

from collections.abc import Callable

import pytest

from chassis.errors import CircuitOpen, Permanent, Transient
from chassis.outbox import Done, Outcome, Park, Retry, Work
from fakes.order_making import make_order, make_work
from fakes.orders_world import MemoryDatabase, MemoryMailLog, MemoryOrderStore
from orders.domain.saga import MailKind, Saga, State, Step
from orders.ports import Mail, UnknownOutcome
from orders.queues import NOTIFICATIONS, SEND_MAIL
from orders.usecases.mails import Mails


class Mailer:
    """Takes mails, or raises what it is told to."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.taken: list[Mail] = []

    def send(self, mail: Mail) -> None:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.taken.append(mail)


def mail_work(kind: object = MailKind.SHIPPED, order_id: str = "o-1", **values: object) -> Work:
    fields = {"key": f"{order_id}/mail/{kind}", "task": SEND_MAIL, "queue": NOTIFICATIONS}
    return make_work(
        Step.HAND_OVER, order_id, **{**fields, "body": {"v": 1, "order": order_id, "kind": kind}, **values}
    )


def send(
    mailer: Mailer, *works: Work, db: MemoryDatabase | None = None, clock: Callable[[], float] = lambda: 0.0
) -> dict[int, Outcome]:
    saga = Saga(State.SHIPPED, reason="because")
    db = db or MemoryDatabase(orders={i: make_order(i, saga, tracking_number=f"T{i}") for i in ("o-1", "o-2")})
    mails = Mails(mailer, MemoryMailLog(db), domain="shop.example", budget_seconds=20, clock=clock)
    return mails.send(MemoryOrderStore(db), works)


def test_a_mail_has_all_that_its_letter_needs() -> None:
    mailer = Mailer()

    assert {1: Done()} == send(mailer, mail_work())

    detail = {
        "order_id": "o-1",
        "total_minor": 500,
        "currency": "EUR",
        "lines": [(2, "LAMP", 500)],
        "tracking_number": "To-1",
        "reason": "because",
    }
    assert [Mail("<shipped.o-1@shop.example>", "o-1", "shipped", "ann@shop.example", "Ann", detail)] == mailer.taken


def test_a_mail_that_was_recorded_is_not_sent_again() -> None:
    mailer, db = Mailer(), MemoryDatabase(orders={"o-1": make_order()})
    for _ in range(2):
        assert {1: Done()} == send(mailer, mail_work(), db=db)

    assert 1 == len(mailer.taken)


def test_a_mail_of_another_kind_is_another_mail() -> None:
    mailer = Mailer()

    send(mailer, mail_work(MailKind.CONFIRMATION), mail_work(MailKind.SHIPPED, id=2))

    assert ["confirmation", "shipped"] == [mail.kind for mail in mailer.taken]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CircuitOpen("down", retry_after_seconds=3), Retry(3, "down", counts=False, reason="circuit_open")),
        (Transient("busy", retry_after_seconds=3), Retry(3, "busy")),
        (Permanent("no such address"), Park("permanent", "no such address")),
    ],
)
def test_a_mail_that_was_not_taken_is_not_recorded(error: Exception, expected: Outcome) -> None:
    mailer, db = Mailer(error), MemoryDatabase(orders={"o-1": make_order()})

    assert {1: expected} == send(mailer, mail_work(), db=db)
    assert set() == db.mails


def test_a_mail_without_an_answer_is_sent_again_under_the_same_message_id() -> None:
    mailer = Mailer(UnknownOutcome("connection lost"))

    (outcome,) = send(mailer, mail_work(failures=2)).values()

    assert isinstance(outcome, Retry)
    assert (True, True) == (outcome.counts, 0 <= outcome.after_seconds <= 2)


def test_an_open_circuit_without_a_time_waits_half_a_second_at_most() -> None:
    (outcome,) = send(Mailer(CircuitOpen("down")), mail_work(failures=30)).values()

    assert isinstance(outcome, Retry)
    assert 0 <= outcome.after_seconds <= 0.5


def test_one_mail_that_fails_does_not_keep_the_others() -> None:
    mailer = Mailer(Permanent("no"))

    outcomes = send(mailer, mail_work(), mail_work(order_id="o-2", id=2))

    assert {1: Park("permanent", "no"), 2: Done()} == outcomes


def test_no_mail_is_begun_that_the_soft_time_limit_could_cut_short() -> None:
    mailer, moments = Mailer(), iter([0.0, 20.0, 20.1])

    outcomes = send(mailer, mail_work(), mail_work(order_id="o-2", id=2), clock=lambda: next(moments))

    assert {1: Done(), 2: Retry(0.0, "the batch ran out of time", counts=False, reason="out_of_time")} == outcomes
    assert ["o-1"] == [mail.order_id for mail in mailer.taken]


def test_a_mail_for_an_order_that_is_not_there_is_parked() -> None:
    outcomes = send(Mailer(), mail_work(order_id="o-9"))

    assert {1: Park("permanent", "order 'o-9' does not exist")} == outcomes


@pytest.mark.parametrize("kind", ["birthday", "", 7, None])
def test_a_kind_of_mail_that_does_not_exist_is_permanent(kind: object) -> None:
    with pytest.raises(Permanent, match="no mail of kind"):
        send(Mailer(), mail_work(kind))


@pytest.mark.parametrize("error", [Transient, Permanent, UnknownOutcome])
def test_what_the_mail_server_repeats_of_a_customer_is_not_kept(error: type[Exception]) -> None:
    class Repeats(Mailer):
        def send(self, mail: Mail) -> None:
            raise error(f"mail server answered 550 <{mail.to.upper()}>: {mail.name} does not live here")

    (outcome,) = send(Repeats(), mail_work()).values()

    said = outcome.detail if isinstance(outcome, Park) else outcome.why if isinstance(outcome, Retry) else ""
    assert "mail server answered 550 <[removed]>: [removed] does not live here" == said
