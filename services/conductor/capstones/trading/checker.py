"""Compares what clients were told with the journal. Pure.

An order that was acknowledged is in the journal once; an execution that was reported is in it with the same lots; no side of a trade is in
it twice; the journal itself is whole; no order was taken or traded against limits, kill switches and phases, and a client was told the
rule and the numbers that the journal has; the positions in the database are those of the journal. An order that was never answered may be
there or not. Where everything is judged, orders that no history tells of count as well, such as those placed by hand.
"""

from collections.abc import Iterator

from conductor.capstones.trading.evidence import Evidence
from conductor.capstones.trading.promises import REFUSED_BEFORE, key
from conductor.verdict import Finding, Verdict


def judge(evidence: Evidence, *, only_told: bool) -> Verdict:
    """The verdict; with `only_told` an order of the journal that these histories do not tell of is neither counted nor a finding."""
    told, journal = evidence.told, evidence.journal
    untold = {} if only_told else {name: count for name, count in journal.taken.items() if name not in told.intents}
    accepted = told.acknowledged.keys() | untold.keys()
    findings = [*_orders(evidence), *_fills(evidence), *_journal(evidence)]
    lost = {finding.subject for finding in findings if finding.fault == "lost"}
    return Verdict(
        accepted=len(accepted),
        completed=sum(key(*name) not in lost for name in accepted),
        findings=findings,
        kills=len(told.kills),
        counts={
            "sent": len(told.intents),
            **({} if only_told else {"untold": len(untold)}),
            "unknown": len(told.intents.keys() - told.acknowledged.keys() - told.refused.keys()),
            "refused": len(told.refused),
            "violated": len({finding.subject for finding in findings if finding.fault == "violated"}),
            "trades": sum(journal.sides.values()) // 2,
            "inputs": journal.inputs,
            "engines": len(journal.holders),
        },
    )


def _orders(evidence: Evidence) -> Iterator[Finding]:
    told, journal = evidence.told, evidence.journal
    for name in told.acknowledged:
        if not journal.taken[name]:
            yield Finding("lost", key(*name), "it was acknowledged, and the journal does not have it")
    for name, refusal in told.refused.items():
        said = journal.refused.get(name)
        if said and refusal.why not in (REFUSED_BEFORE, f"{said[0]}: {said[1]}, limit {said[2]}"):
            yield Finding("violated", key(*name), f"the client was told {refusal.why!r}, the journal has {said}")
        if journal.taken[name]:
            yield Finding("doubled", key(*name), "the client was told that it was refused, and the journal took it")
    for name, count in journal.taken.items():
        if count > 1:
            yield Finding("doubled", key(*name), f"the journal took it {count} times")


def _fills(evidence: Evidence) -> Iterator[Finding]:
    journal = evidence.journal
    for name, fills in evidence.told.fills.items():
        for exec_id, lots in fills.items():
            kept = journal.fills[name][exec_id] if name in journal.fills else 0
            if kept != lots:
                yield Finding("lost", key(*name), f"{exec_id} of {lots} lots was reported, the journal has {kept}")
    for (symbol, trade, side), count in journal.sides.items():
        if count > 1:
            yield Finding("doubled", f"trade {symbol}-{trade}", f"side {side} is in the journal {count} times")


def _journal(evidence: Evidence) -> Iterator[Finding]:
    journal = evidence.journal
    for gap in journal.gaps:
        yield Finding("lost", "journal", gap)
    if journal.holders != sorted(set(journal.holders)):
        yield Finding("doubled", "journal", f"two engines held it: epochs {journal.holders}")
    for wrong in journal.wrong:
        yield Finding("violated", "rules", wrong)
    for said in evidence.audit:
        yield Finding("lost", "journal", said)
    for said in evidence.positions:
        yield Finding("lost", "positions", said)
