"""The verdict: what is sound, and that each single thing that must not be is found and named."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from conductor.capstones.orders.checker import judge
from conductor.capstones.orders.evidence import Evidence, Level, Movement
from conductor.capstones.orders.promises import Accepted, Intent, Told
from conductor.history import Kill, Restored

ORDER = "o-1"
KEY = "c-1.key"
PIECES = {"MUG": 2}


def told(*kills: Kill) -> Told:
    intents = {KEY: Intent(1.0, KEY, "c-1", PIECES)}
    return Told(intents, {KEY: Accepted(2.0, KEY, ORDER, 2500, 1)}, {}, kills)


def order(state: str, **changes: Any) -> dict[str, Any]:
    base = {"order_id": ORDER, "customer": "c-1", "state": state, "total_minor": 2500, "open_step": None}
    return {**base, "needs_attention": None, **changes}


def entry(kind: str, at: float = 10.0, **detail: Any) -> dict[str, Any]:
    return {"id": 1, "at": at, "kind": kind, "key": "k", "order_id": ORDER, **detail}


def capture(at: float = 10.0) -> dict[str, Any]:
    return entry("capture", at, amount_minor=2500)


def refund() -> dict[str, Any]:
    return entry("refund", amount_minor=2500)


def mail(kind: str, at: float = 10.0) -> dict[str, Any]:
    return entry("mail", at, mail_kind=kind)


RESTOCK = Movement(None, "MUG", "restock", 100)
RESERVE = Movement(ORDER, "MUG", "reserve", 2)
SHIP = Movement(ORDER, "MUG", "ship", 2)
RELEASE = Movement(ORDER, "MUG", "release", 2)

DELIVERED = Evidence(
    told=told(),
    orders={ORDER: order("delivered")},
    payments=[capture()],
    carrier=[entry("shipment"), entry("handover"), entry("callback"), entry("callback")],
    mails=[mail("confirmation"), mail("shipped"), mail("delivered")],
    levels=[Level("MUG", 98, 0)],
    movements=[RESTOCK, RESERVE, SHIP],
)
CANCELLED = Evidence(
    told=told(),
    orders={ORDER: order("cancelled")},
    payments=[capture(), refund()],
    carrier=[entry("shipment"), entry("void")],
    mails=[mail("confirmation"), mail("cancelled")],
    levels=[Level("MUG", 100, 0)],
    movements=[RESTOCK, RESERVE, RELEASE],
)
FAILED = replace(CANCELLED, orders={ORDER: order("failed")}, payments=[], carrier=[], mails=[mail("failed")])


def test_a_delivered_order_with_its_effects_is_completed() -> None:
    verdict = judge(DELIVERED)

    assert verdict.as_json() == {
        "accepted": 1, "completed": 1, "compensated": 0, "lost": 0, "doubled": 0, "mail_repeats": 0, "kills": 0
    }  # fmt: skip


@pytest.mark.parametrize("evidence", [CANCELLED, FAILED], ids=["cancelled", "failed"])
def test_an_order_that_turned_back_without_trace_is_compensated(evidence: Evidence) -> None:
    verdict = judge(evidence)

    assert (True, 1) == (verdict.sound, verdict.counts["compensated"])


TOO_LATE = replace(DELIVERED, told=replace(told(), cancelled=frozenset({KEY})))
REFUSED_MAIL = [*DELIVERED.mails, mail("cancel_refused")]


@pytest.mark.parametrize("evidence", [TOO_LATE, DELIVERED], ids=["by this client", "by another"])
def test_a_cancellation_that_came_too_late_is_told_by_mail(evidence: Evidence) -> None:
    assert judge(replace(evidence, mails=REFUSED_MAIL)).sound


def test_what_a_restored_database_forgot_owes_no_mail() -> None:
    assert judge(replace(TOO_LATE, told=replace(TOO_LATE.told, restores=(Restored(9.0, 3.0),)))).sound


CHEAPER = replace(
    DELIVERED, orders={ORDER: order("delivered", total_minor=1)}, payments=[entry("capture", amount_minor=1)]
)

MISSING = {
    "the order itself": (replace(DELIVERED, orders={}, payments=[], carrier=[], mails=[]), "knows of no such order"),
    "an end": (replace(DELIVERED, orders={ORDER: order("paid", open_step="buy_label")}), "still paid, open step buy_label"),
    "its price": (CHEAPER, "2500 was promised as its total"),
    "the charge": (replace(DELIVERED, payments=[]), "0 was kept of it"),
    "the money of a refund": (replace(DELIVERED, payments=[capture(), refund()]), "0 was kept of it"),
    "the parcel": (replace(DELIVERED, carrier=[entry("shipment")]), "the carrier never got the parcel"),
    "a mail": (replace(DELIVERED, mails=[mail("confirmation"), mail("delivered")]), "mail 'shipped' was never sent"),
    "what became of a cancellation": (TOO_LATE, "mail 'cancel_refused' was never sent"),
    "goods that left": (
        replace(DELIVERED, movements=[RESTOCK, RESERVE], levels=[Level("MUG", 100, 2)]), "left the stock instead of"
    ),
    "goods to give back": (
        replace(CANCELLED, movements=[RESTOCK, RESERVE], levels=[Level("MUG", 100, 2)]), "but {} was given back"
    ),
    "a label to void": (replace(CANCELLED, carrier=[entry("shipment")]), "its label was never voided"),
    "a stock level": (replace(DELIVERED, levels=[Level("MUG", 99, 0)]), "its movements add up to 98 and 0"),
}  # fmt: skip


@pytest.mark.parametrize(("evidence", "why"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_lost(evidence: Evidence, why: str) -> None:
    verdict = judge(evidence)

    assert [("lost", True)] == [(finding.fault, why in finding.why) for finding in verdict.findings]


TOO_MUCH = {
    "charges": (replace(DELIVERED, payments=[capture(1.0), capture(2.0)]), "charged 2 times: 1.000 (k), 2.000 (k)"),
    "refunds": (replace(CANCELLED, payments=[capture(), refund(), refund()]), "refunded 2 times"),
    "money kept": (replace(CANCELLED, payments=[capture()]), "cancelled, total 2500, and 2500 was kept"),
    "labels": (replace(DELIVERED, carrier=[*DELIVERED.carrier, entry("shipment")]), "a label was bought 2 times"),
    "parcels": (replace(DELIVERED, carrier=[*DELIVERED.carrier, entry("handover")]), "handed over 2 times"),
    "a parcel under way": (replace(CANCELLED, carrier=[entry("shipment"), entry("handover")]), "the carrier has the parcel"),
    "a mail that tells lies": (replace(FAILED, mails=[mail("failed"), mail("shipped")]), "a mail 'shipped' was sent"),
    "a mail again": (replace(DELIVERED, mails=[*DELIVERED.mails, mail("shipped", 12.0)]), "no sender was killed in between"),
    "orders of one key": (
        replace(FAILED, orders={ORDER: order("failed"), "o-2": order("failed", order_id="o-2")}), "made 2 orders: o-1, o-2"
    ),
    "effects of no order": (
        replace(DELIVERED, payments=[capture(), {**capture(), "order_id": "o-9"}]), "a charge was made for it"
    ),
    "stock below zero": (
        replace(DELIVERED, levels=[Level("MUG", -2, 0)], movements=[RESERVE, SHIP]), "on hand -2"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("evidence", "why"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_is_too_much_is_doubled(evidence: Evidence, why: str) -> None:
    verdict = judge(evidence, only_told=True)

    assert [("doubled", True)] == [(finding.fault, why in finding.why) for finding in verdict.findings]


def test_more_pieces_than_ordered_are_found() -> None:
    moved = [RESTOCK, replace(RESERVE, quantity=4), replace(SHIP, quantity=4)]

    verdict = judge(replace(DELIVERED, movements=moved, levels=[Level("MUG", 96, 0)]))

    assert {"doubled", "lost"} == {finding.fault for finding in verdict.findings}


REPEATED = replace(DELIVERED, mails=[*DELIVERED.mails, mail("shipped", 12.0)])
TRACED = {
    "between the two": Kill(11.0, "notifications", "tree", (1,)),
    "of the database between the two": Kill(11.0, "postgres", "server", (), until=11.5),
    "of the database, which was still away when the first was sent": Kill(9.5, "postgres", "server", (), until=11.0),
    "of a pod, which its node ended a moment later": Kill(9.0, "notifications", "pod", (), until=9.2),
    "of its very sender, a moment before the server noted it": Kill(
        9.8, "notifications", "child", (1,), "before", (f"{ORDER}/mail/shipped",)
    ),
}


@pytest.mark.parametrize("kill", TRACED.values(), ids=TRACED)
def test_a_mail_may_come_again_after_a_kill(kill: Kill) -> None:
    verdict = judge(replace(REPEATED, told=told(kill)))

    assert (True, [asdict(kill)]) == (verdict.sound, [excused.detail["kill"] for excused in verdict.excused])


UNRELATED = {
    "of another pool": Kill(11.0, "payments", "tree", (1,)),
    "before the first": Kill(9.8, "notifications", "tree", (1,)),
    "after the second": Kill(12.1, "notifications", "tree", (1,)),
    "of the database, which was back before the first": Kill(9.0, "postgres", "server", (), until=9.9),
    "of the database, after the second": Kill(12.1, "postgres", "server", (), until=13.0),
    "of a pod, long before the first": Kill(-1.0, "notifications", "pod", (), until=-0.5),
    "of a pod, after the second": Kill(12.1, "notifications", "pod", (), until=12.3),
    "of another server": Kill(11.0, "rabbitmq", "server", (), until=11.5),
    "of the sender of another mail": Kill(11.0, "notifications", "tree", (1,), "before", ("o-2/mail/shipped",)),
}


@pytest.mark.parametrize("kill", UNRELATED.values(), ids=UNRELATED)
def test_no_other_kill_excuses_it(kill: Kill) -> None:
    verdict = judge(replace(REPEATED, told=told(kill)))

    assert (1, []) == (verdict.doubled, list(verdict.excused))


def test_orders_that_no_journal_tells_of_are_judged_as_well() -> None:
    evidence = replace(DELIVERED, told=Told({}, {}, {}, ()), payments=[])

    assert 1 == judge(evidence).lost


def test_orders_that_no_journal_tells_of_can_be_left_out() -> None:
    evidence = replace(DELIVERED, told=Told({}, {}, {}, ()), payments=[])

    assert (0, True) == (judge(evidence, only_told=True).accepted, judge(evidence, only_told=True).sound)


@pytest.mark.parametrize(("at", "sound"), [(0.9, True), (1.0, False)])
def test_what_nobody_ordered_before_the_journal_began_is_not_its_business(at: float, sound: bool) -> None:
    stray = {**capture(at), "order_id": "o-0"}
    evidence = replace(DELIVERED, payments=[stray, capture()])

    assert (sound, False) == (judge(evidence, only_told=True).sound, judge(evidence).sound)


def test_a_restart_of_a_server_is_no_kill_of_a_worker() -> None:
    kills = [Kill(1.0, "postgres", "server", ()), Kill(1.0, "saga", "tree", (1,))]

    assert 1 == judge(replace(DELIVERED, told=told(*kills))).kills


FORGOTTEN = replace(
    CANCELLED, told=replace(told(), restores=(Restored(20.0, 1.5),)), orders={}, levels=[], movements=[]
)
"""Accepted at 2.0, and the database was brought back to 1.5."""


def test_an_order_that_a_restore_forgot_is_compensated_when_nothing_of_it_is_left() -> None:
    verdict = judge(FORGOTTEN)

    assert (True, 1, 1) == (verdict.sound, verdict.accepted, verdict.counts["compensated"])


LEFT_OVER = {
    "a charge": (replace(FORGOTTEN, payments=[capture()]), {"lost", "doubled"}),
    "a label": (replace(FORGOTTEN, carrier=[entry("shipment")]), {"lost", "doubled"}),
    "a parcel": (replace(FORGOTTEN, carrier=[entry("shipment"), entry("handover")]), {"lost", "doubled"}),
    "a restore to a later time": (
        replace(FORGOTTEN, told=replace(told(), restores=(Restored(20.0, 2.5),))), {"lost"}
    ),
    "a restore before it was accepted": (
        replace(FORGOTTEN, told=replace(told(), restores=(Restored(1.9, 1.5),))), {"lost", "doubled"}
    ),
}  # fmt: skip


@pytest.mark.parametrize(("evidence", "faults"), LEFT_OVER.values(), ids=LEFT_OVER)
def test_no_restore_excuses_what_is_left_over(evidence: Evidence, faults: set[str]) -> None:
    assert faults == {finding.fault for finding in judge(evidence).findings}


@pytest.mark.parametrize(("first", "repeats"), [(10.0, 1), (1.0, 1), (-20.0, 0)])
def test_a_mail_may_come_again_when_a_restore_forgot_that_it_was_sent(first: float, repeats: int) -> None:
    mails = [mail("confirmation"), mail("shipped", first), mail("shipped", 25.0), mail("delivered")]
    evidence = replace(DELIVERED, told=replace(told(), restores=(Restored(20.0, 1.5),)), mails=mails)

    assert (repeats, repeats == 1) == (len(judge(evidence).excused), judge(evidence).sound)
