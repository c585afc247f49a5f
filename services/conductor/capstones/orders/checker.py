"""The verdict on a platform, from evidence its workers did not write. Pure.

Every order that was promised has to be final, with exactly the effects of its end: a delivered one was charged once, shipped once and
told about; one that turned back cost nothing and holds nothing. A mail may come twice only when its sender was killed in between.
An order that was accepted after the time that the database was restored to may be unknown, if nothing of it is left anywhere.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from conductor.capstones.orders.evidence import Evidence, Level, Movement
from conductor.capstones.orders.mail_repeats import explains
from conductor.harness.ledgers import Entry
from conductor.history import Kill, Restored
from conductor.verdict import Excused, Finding, Verdict

FINAL = ("delivered", "cancelled", "failed")
OWED = {"delivered": {"confirmation", "shipped", "delivered"}, "cancelled": {"cancelled"}, "failed": {"failed"}}
"""Mails by final state. One that turned back after it was paid has a confirmation as well, one whose cancellation was taken and came too
late a mail about that."""


def judge(evidence: Evidence, *, only_told: bool = False) -> Verdict:
    """The verdict on every order that a journal tells of and, unless `only_told`, on every other order of the platform.

    With `only_told` the same holds for effects that belong to no order: what began before the journal is not its business.
    """
    told = evidence.told
    since = min((intent.at for intent in told.intents.values()), default=0.0) if only_told else 0.0
    promised = {accepted.order_id: accepted for accepted in told.accepted.values()}
    judged = list(promised) + ([] if only_told else [i for i in evidence.orders if i not in promised])
    by_order = _Effects(evidence)
    findings: list[Finding] = []
    repeats: list[Excused] = []
    undone = 0
    # A database that was restored has forgotten the mails since, as one that was away has.
    forgot = [*told.kills, *(Kill(r.to, "postgres", "restore", (), until=r.at) for r in told.restores)]
    for order_id in judged:
        order = evidence.orders.get(order_id)
        if order is None and _forgotten(promised[order_id].at, told.restores) and not by_order.kept(order_id):
            undone += 1
            continue
        if order is None:
            at = promised[order_id].at
            findings.append(Finding("lost", order_id, f"accepted at {at:.3f}, and the API knows of no such order"))
            continue
        accepted = promised.get(order_id)
        if accepted is not None and accepted.total_minor != order["total_minor"]:
            why = f"{accepted.total_minor} was promised as its total, the order says {order['total_minor']}"
            findings.append(Finding("lost", order_id, why))
        pieces = told.intents[accepted.key].pieces if accepted is not None and accepted.key in told.intents else None
        # What a restored database forgot is placed and cancelled again, or not at all.
        cancelled = accepted is not None and accepted.key in told.cancelled and not told.restores
        findings += _order(order, by_order, pieces, cancelled=cancelled)
        found, unexplained = _repeats(order_id, by_order.mails[order_id], forgot)
        repeats += found
        findings += unexplained
    findings += _placed_twice(evidence, promised)
    findings += _of_nobody(evidence, by_order, since)
    findings += _stock(evidence.levels, evidence.movements)
    states = Counter(evidence.orders[i]["state"] for i in judged if i in evidence.orders)
    kills = sum(kill.which != "server" for kill in told.kills)
    compensated = states["cancelled"] + states["failed"] + undone
    counts = {"compensated": compensated, "mail_repeats": len(repeats)}
    return Verdict(len(judged), states["delivered"], findings, kills, repeats, counts)


def _forgotten(at: float, restores: Sequence[Restored]) -> bool:
    return any(restored.to < at <= restored.at for restored in restores)


class _Effects:
    """The evidence by order."""

    def __init__(self, evidence: Evidence) -> None:
        self.payments = _grouped(evidence.payments)
        self.carrier = _grouped(evidence.carrier)
        self.mails = _grouped(evidence.mails)
        self.moved: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
        for movement in evidence.movements:
            if movement.order_id is not None:
                self.moved[movement.order_id][movement.kind][movement.sku] = movement.quantity

    def kept(self, order_id: str) -> bool:
        """Whether money is kept for the order, or a parcel or a label of it is out there."""
        money = Counter(entry["kind"] for entry in self.payments[order_id])
        parcels = Counter(entry["kind"] for entry in self.carrier[order_id])
        return money["capture"] != money["refund"] or parcels["shipment"] != parcels["void"] or parcels["handover"] > 0

    def began(self, order_id: str) -> float:
        """When the first effect of this order was, which has one."""
        return min(float(e["at"]) for effects in (self.payments, self.carrier, self.mails) for e in effects[order_id])


def _grouped(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry["order_id"] is not None:
            groups[entry["order_id"]].append(entry)
    return groups


def _order(order: Entry, effects: _Effects, pieces: Mapping[str, int] | None, *, cancelled: bool) -> Iterator[Finding]:
    order_id, state = order["order_id"], order["state"]
    if state not in FINAL:
        attention = f"; {order['needs_attention']}" if order.get("needs_attention") else ""
        yield Finding("lost", order_id, f"still {state}, open step {order['open_step']}{attention}")
    yield from _money(order, effects.payments[order_id])
    yield from _parcel(order, effects.carrier[order_id])
    yield from _goods(order, effects.moved[order_id], pieces)
    if state in FINAL:
        sent = {mail["mail_kind"] for mail in effects.mails[order_id]}
        too_late = {"cancel_refused"} if state == "delivered" else set()
        for kind in sorted((OWED[state] | (too_late if cancelled else set())) - sent):
            yield Finding("lost", order_id, f"{state}, and its mail {kind!r} was never sent")
        for kind in sorted(sent - OWED[state] - {"confirmation"} - too_late):
            yield Finding("doubled", order_id, f"{state}, and a mail {kind!r} was sent")


def _money(order: Entry, entries: Sequence[Entry]) -> Iterator[Finding]:
    order_id, state, total = order["order_id"], order["state"], order["total_minor"]
    captured = [entry["amount_minor"] for entry in entries if entry["kind"] == "capture"]
    refunded = [entry["amount_minor"] for entry in entries if entry["kind"] == "refund"]
    if len(captured) > 1:
        yield Finding("doubled", order_id, f"charged {len(captured)} times: {_moments(entries, 'capture')}")
    if len(refunded) > 1:
        yield Finding("doubled", order_id, f"refunded {len(refunded)} times: {_moments(entries, 'refund')}")
    kept = sum(captured) - sum(refunded)
    if state == "delivered" and kept < total:
        yield Finding("lost", order_id, f"delivered for {total}, but {kept} was kept of it")
    if state in FINAL and kept > (total if state == "delivered" else 0) and len(captured) <= 1:
        yield Finding("doubled", order_id, f"{state}, total {total}, and {kept} was kept")


def _parcel(order: Entry, entries: Sequence[Entry]) -> Iterator[Finding]:
    order_id, state = order["order_id"], order["state"]
    count = Counter(entry["kind"] for entry in entries)
    for kind, name in (("shipment", "a label was bought"), ("handover", "a parcel was handed over")):
        if count[kind] > 1:
            yield Finding("doubled", order_id, f"{name} {count[kind]} times: {_moments(entries, kind)}")
    if state == "delivered" and not count["handover"]:
        yield Finding("lost", order_id, "delivered, but the carrier never got the parcel")
    if state in ("cancelled", "failed"):
        if count["handover"]:
            yield Finding("doubled", order_id, f"{state}, and the carrier has the parcel")
        elif count["shipment"] > count["void"]:
            yield Finding("lost", order_id, f"{state}, and its label was never voided")


def _goods(order: Entry, moved: Mapping[str, Mapping[str, int]], pieces: Mapping[str, int] | None) -> Iterator[Finding]:
    order_id, state = order["order_id"], order["state"]
    reserved, shipped, released = (dict(moved.get(kind, {})) for kind in ("reserve", "ship", "release"))
    if pieces is not None and reserved and reserved != dict(pieces):
        yield Finding("doubled", order_id, f"{reserved} was reserved, {dict(pieces)} was ordered")
    if state == "delivered" and shipped != (dict(pieces) if pieces is not None else reserved):
        yield Finding(
            "lost", order_id, f"delivered, and {shipped} left the stock instead of {dict(pieces or reserved)}"
        )
    if state == "delivered" and released:
        yield Finding("doubled", order_id, f"delivered, and {released} was given back to the stock")
    if state in ("cancelled", "failed") and (shipped or released != reserved):
        why = f"{state}, reserved {reserved}, but {released} was given back and {shipped} left the stock"
        yield Finding("lost", order_id, why)


def _repeats(order_id: str, mails: Sequence[Entry], kills: Sequence[Kill]) -> tuple[list[Excused], list[Finding]]:
    repeats: list[Excused] = []
    findings: list[Finding] = []
    by_kind: dict[str, list[float]] = defaultdict(list)
    for mail in mails:
        by_kind[mail["mail_kind"]].append(mail["at"])
    for kind, moments in by_kind.items():
        moments.sort()
        for first, second in pairwise(moments):
            kill = next((k for k in kills if explains(k, f"{order_id}/mail/{kind}", first, second)), None)
            if kill is None:
                why = f"its mail {kind!r} came at {first:.3f} and {second:.3f}, and no sender was killed in between"
                findings.append(Finding("doubled", order_id, why))
            else:
                repeats.append(_excused(order_id, kind, first, second, kill))
    return repeats, findings


def _excused(order_id: str, kind: str, first: float, second: float, kill: Kill) -> Excused:
    told = {"order_id": order_id, "kind": kind, "first_at": first, "second_at": second, "kill": asdict(kill)}
    why = f"mail {kind!r} came at {first:.3f} and {second:.3f}, its sender ({kill.pool}) was killed at {kill.at:.3f}"
    return Excused(order_id, why, told)


def _placed_twice(evidence: Evidence, promised: Mapping[str, Any]) -> Iterator[Finding]:
    """A load's customer buys once: a second order of theirs is the same request accepted twice."""
    buyers = {intent.customer: key for key, intent in evidence.told.intents.items()}
    orders: dict[str, list[str]] = defaultdict(list)
    for order in evidence.orders.values():
        if order["customer"] in buyers:
            orders[order["customer"]].append(order["order_id"])
    for customer, ids in orders.items():
        if len(ids) > 1:
            yield Finding("doubled", ids[0], f"key {buyers[customer]} made {len(ids)} orders: {', '.join(ids)}")


def _of_nobody(evidence: Evidence, effects: _Effects, since: float) -> Iterator[Finding]:
    """Effects for an order that does not exist: something was done for a promise that was taken back, unless a restore forgot it and it is
    undone, or the first of them was before `since`.
    """
    for name, entries in (("charge", evidence.payments), ("parcel", evidence.carrier), ("mail", evidence.mails)):
        for order_id in {e["order_id"] for e in entries if e["order_id"] is not None} - evidence.orders.keys():
            began = effects.began(order_id)
            if began >= since and (effects.kept(order_id) or not _forgotten(began, evidence.told.restores)):
                yield Finding("doubled", order_id, f"a {name} was made for it, and the API knows of no such order")


def _stock(levels: Sequence[Level], movements: Sequence[Movement]) -> Iterator[Finding]:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for movement in movements:
        sums[movement.sku][movement.kind] += movement.quantity
    for level in levels:
        moved = sums[level.sku]
        on_hand = moved["restock"] - moved["ship"]
        reserved = moved["reserve"] - moved["release"] - moved["ship"]
        if (level.on_hand, level.reserved) != (on_hand, reserved):
            why = (
                f"on hand {level.on_hand}, reserved {level.reserved}; its movements add up to {on_hand} and {reserved}"
            )
            yield Finding("doubled" if level.on_hand < on_hand else "lost", f"stock of {level.sku}", why)
        if level.on_hand < 0 or level.reserved < 0 or level.reserved > level.on_hand:
            why = f"on hand {level.on_hand}, reserved {level.reserved}"
            yield Finding("doubled", f"stock of {level.sku}", why)


def _moments(entries: Sequence[Entry], kind: str) -> str:
    return ", ".join(f"{entry['at']:.3f} ({entry['key']})" for entry in entries if entry["kind"] == kind)
