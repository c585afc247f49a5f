"""`python -m orders.reconciliation --since TIME`: what provider and carrier have on record against the orders; `--apply` settles it.

For operators, after a restore above all (docs/restore.md). Without `--apply` nothing is changed. Exit code 0; 1 when something is left for
a person, or failed and is to be tried again; 2 for a wrong command line. Database, provider and carrier are those of the settings.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from chassis.actor import whoever
from chassis.database import connect
from chassis.errors import BadSetting, Transient
from orders.adapters import recovery_list
from orders.adapters.carrier import HttpCarrier
from orders.adapters.intake_store import PostgresIntakeStore
from orders.adapters.payments import HttpPayments
from orders.adapters.records import HttpRecords
from orders.adapters.wire import Wire
from orders.domain.reconciliation import Remedy
from orders.settings import Settings
from orders.usecases.placed_again import Again, PlacedAgain
from orders.usecases.reconciliation import Reconciliation, Settled

# A book of many pages is no order's call: patience costs nobody anything here.
ANSWER_SECONDS = 30.0


def main(argv: Sequence[str]) -> int:
    """Do what the command line says; the exit code."""
    options = _parser().parse_args(argv[1:])
    if not options.apply and (options.undo or options.refund):
        _parser().error("--undo and --refund change something: they need --apply")
    try:
        settings = Settings()
        again = _place_again(settings, options) if options.list else Again((), ())
        reconciliation = _made(settings)
        differences = reconciliation.differences(options.since)
        # What would be placed again would then learn what was done for it.
        settled = [Settled(d, "would be") for d in differences if d.order_id not in set(again.missing)]
        if options.apply:
            settled = reconciliation.settle(
                differences, actor=options.actor, undo=options.undo, refund=frozenset(options.refund)
            )
    except (Transient, BadSetting, OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    _print(again, settled, applied=options.apply, as_json=options.json)
    open_questions = [s for s in settled if s.outcome == "failed" or _undecided(s)]
    return 1 if options.apply and open_questions else 0


def _undecided(settled: Settled) -> bool:
    return settled.outcome == "left" and settled.difference.remedy is Remedy.PERSON


def _place_again(settings: Settings, options: argparse.Namespace) -> Again:
    store = PostgresIntakeStore(connect(settings.database_url, pool_size=1, pooler=settings.behind_pooler))
    work = PlacedAgain(store, reservation_seconds=settings.reservation_seconds)
    with options.list.open() as file:
        listed = recovery_list.loaded(file)
        return work.place(listed, actor=options.actor) if options.apply else work.look(listed)


def _made(settings: Settings) -> Reconciliation:
    if settings.outside != "real":
        raise BadSetting(f"OUTSIDE is {settings.outside!r}, which keeps no books")
    to_payments = Wire(settings.payments_url, name="payment provider", total_seconds=ANSWER_SECONDS)
    to_carrier = Wire(settings.carrier_url, name="carrier", total_seconds=ANSWER_SECONDS)
    return Reconciliation(
        PostgresIntakeStore(connect(settings.database_url, pool_size=1, pooler=settings.behind_pooler)),
        HttpRecords(to_payments, to_carrier),
        HttpPayments(to_payments),
        HttpCarrier(to_carrier),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m orders.reconciliation", description="Compare the outside's books with the orders."
    )
    parser.add_argument("--since", type=moment, required=True, metavar="TIME", help="ISO 8601 with its offset from UTC")
    parser.add_argument("--list", type=Path, metavar="FILE", help="the recovery list: its orders are placed again")
    parser.add_argument("--apply", action="store_true", help="learn what the outside knows")
    parser.add_argument("--undo", action="store_true", help="give back what was done for orders that nobody knows")
    parser.add_argument(
        "--refund", nargs="*", default=[], metavar="ORDER", help="give its money back although its parcel is gone"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--actor", default=whoever(), help="who decides this, for the timelines")
    return parser


def moment(text: str) -> datetime:
    """A time of the command line. Raises ArgumentTypeError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-03-01T12:00:00+00:00") from None
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} does not say its offset from UTC, such as +00:00")
    return found


def _print(again: Again, settled: Sequence[Settled], *, applied: bool, as_json: bool) -> None:
    counts = Counter(f"{one.difference.remedy}: {one.outcome}" for one in settled)
    would = "" if applied else "would be "
    summary = f"{len(again.missing)} {would}placed again, {len(again.to_cancel)} {would}cancelled again, {len(settled)} differ"
    summary += "".join(f", {what} {n}" for what, n in sorted(counts.items()))
    if as_json:
        differences = [
            {
                "order_id": one.difference.order_id,
                "remedy": one.difference.remedy,
                "outcome": one.outcome,
                "seen": asdict(one.difference.seen),
                "text": _line(one),
            }
            for one in settled
        ]
        sys.stdout.write(json.dumps({"again": asdict(again), "differences": differences, "summary": summary}) + "\n")
        return
    sys.stdout.write("".join(f"{_line(one)}\n" for one in settled) + summary + "\n")


def _line(settled: Settled) -> str:
    found = settled.difference
    note = f" ({settled.why})" if settled.why else ""
    return f"{found.order_id}  {found.remedy:<6}  {settled.outcome:<8}  {found.why}{note}"


if __name__ == "__main__":
    sys.exit(main(sys.argv))
