"""`python -m trading.audit verify|explain|replay FOLDER`: what a shard's journal proves. Reads only; may run beside the engine.

verify: every frame, every link of the hash chain, every signed head. explain ORDER: all that happened to an order, by its id. replay: every
outcome made anew by this version of the code. Exits with 0 when there is nothing to object to, 1 when there is, 2 when it cannot be read.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trading.adapters.journal.errors import JournalDamaged
from trading.adapters.journal.heads import kept
from trading.adapters.journal.reader import records
from trading.adapters.journal.verification import verify
from trading.adapters.layouts import decode_input, decode_outcome, slots
from trading.adapters.snapshots import newest
from trading.domain.engine import Engine
from trading.domain.inputs import INPUTS
from trading.domain.outcomes import OUTCOMES
from trading.domain.records import Record
from trading.domain.terms import Input, Reason, Rule, Side, TimeInForce, Type
from trading.usecases.replay import ReplayDiffers, code_version, replay

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMES = {"side": Side, "type": Type, "time_in_force": TimeInForce, "rule": Rule, "reason": Reason}


def told(record: Record, kinds: dict[int, type]) -> str:
    """A record with the names of its kind and fields; fields of 0 are left out."""
    cls = kinds[record[0]]
    fields = zip(cls._fields[1:], record[1:], strict=True)  # type: ignore[attr-defined]
    shown = [f"{name}={NAMES[name](value).name if name in NAMES else value}" for name, value in fields if value]
    return " ".join([cls.__name__, *shown])


def story(folder: Path, order: int) -> Iterator[str]:
    """Lines that tell what happened to an order: each input that changed it, when, and what came of it."""
    now_us = 0
    for sequence, record in records(folder):
        message, *said = slots(record)
        given, outcomes = decode_input(message), [decode_outcome(one) for one in said]
        if given[0] == Input.TIME:
            now_us = given[1]
        about = [one for one in outcomes if sequence == order or _order_of(one) == order]
        if about:
            yield f"{sequence} {(EPOCH + timedelta(microseconds=now_us)).isoformat()} {told(given, INPUTS)}"
            yield from (f"    {told(one, OUTCOMES)}" for one in about)


def _order_of(outcome: Record) -> int:
    names = OUTCOMES[outcome[0]]._fields
    return outcome[3] if names[3] == "order_id" else 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="trading.audit", description=__doc__)
    parser.add_argument("command", choices=["verify", "explain", "replay"])
    parser.add_argument("folder", type=Path, help="the shard's folder, which holds journal/")
    parser.add_argument(
        "order", type=int, nargs="?", help="explain: the id of an order, which is the number of its input"
    )
    parser.add_argument("--heads", type=Path, help="verify: the file of signed heads")
    parser.add_argument("--heads-key", type=Path, help="verify: the file of the key that signed them")
    parser.add_argument("--from-snapshot", action="store_true", help="replay: only what follows the newest snapshot")
    options = parser.parse_args(arguments)
    if (options.order is None) is (options.command == "explain"):
        parser.error("explain takes the id of an order, the others none")
    if (options.heads is None) is not (options.heads_key is None):
        parser.error("--heads and --heads-key go together")
    journal = options.folder / "journal"
    if not journal.is_dir():
        sys.stderr.write(f"{journal} is no folder\n")
        return 2
    try:
        if options.command == "verify":
            return _verify(journal, options.heads, options.heads_key)
        return _explain(journal, options.order) if options.command == "explain" else _replay(options)
    except JournalDamaged as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _verify(journal: Path, heads: Path | None, key: Path | None) -> int:
    began = time.monotonic()
    verified = verify(journal, kept(heads, key.read_bytes()) if heads and key else ())
    for finding in verified.findings:
        sys.stderr.write(f"{finding}\n")
    _say(
        sound=not verified.findings,
        segments=verified.segments,
        blocks=verified.blocks,
        records=verified.records,
        open_records=verified.open_records,
        heads=verified.heads,
        epoch=verified.epoch,
        versions=sorted({version for *_, version in verified.holders}),
        seconds=round(time.monotonic() - began, 2),
    )
    return 1 if verified.findings else 0


def _explain(journal: Path, order: int) -> int:
    found = False
    for line in story(journal, order):
        found = True
        sys.stdout.write(line + "\n")
    if not found:
        sys.stderr.write(f"no input of the journal is about an order {order}\n")
    return 0 if found else 1


def _replay(options: argparse.Namespace) -> int:
    began = time.monotonic()
    engine = newest(options.folder / "snapshots") if options.from_snapshot else Engine()
    start, differs = engine.sequence, None
    try:
        replay(engine, records(options.folder / "journal", engine.sequence))
    except ReplayDiffers as error:
        sys.stderr.write(f"{error}\n")
        differs = error.sequence
    inputs = (engine.sequence if differs is None else differs - 1) - start
    _say(
        same=differs is None, differs_at=differs, snapshot=start, inputs=inputs, version=code_version(),
        seconds=round(time.monotonic() - began, 2),
    )  # fmt: skip
    return 0 if differs is None else 1


def _say(**values: object) -> None:
    sys.stdout.write(json.dumps(values) + "\n")


if __name__ == "__main__":
    sys.exit(main())
