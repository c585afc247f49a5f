"""`python -m chassis.parked orders.app list|show ID|replay ID..|drop ID..`: look at what is parked, run it again, or close it.

`replay` and `drop` take ids, or `--all` with or without `--task` and `--reason`; `--dry-run` says what would be done. Exit code 0;
1 when an id is not parked, or a record cannot be published as it came; 2 for a wrong command line.
"""

import argparse
import importlib
import json
import struct
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from amqp.exceptions import FrameSyntaxError

from chassis import storable
from chassis.actor import whoever
from chassis.app import ChassisApp
from chassis.parking import REASONS, Acts, Choice, Parking, Record, Refused, engine_for


def publisher(app: ChassisApp) -> Any:
    """Publishes a parked message to the queue it came from, as it was."""

    def publish(record: Record) -> None:
        queue = record.queue if record.queue in app.service_queues else app.service_queues[0]
        if not storable.is_raw(record.body):
            if record.headers.get("task", record.task) != record.task:
                raise Refused(
                    f"its task was no name, and {record.task!r} stands for it; drop it, and send the task anew"
                )
            app.send_task(record.task, kwargs=dict(record.body), queue=queue)
            return
        is_batch = record.queue in app.batch_queues
        if storable.ESCAPED in record.headers or ("task" not in record.headers and not is_batch):
            raise Refused("its headers could not be kept as they came; drop it, and send the task anew")
        try:
            body = storable.bytes_of(record.body)
        except ValueError as error:
            raise Refused(f"{error}; drop it, and send the task anew") from error
        headers = {name: value for name, value in record.headers.items() if not name.startswith(("_", "x-"))}
        bound = app.amqp.queues[queue]
        with app.producer_or_acquire() as producer:
            try:
                producer.publish(
                    body,
                    exchange=bound.exchange.name,
                    routing_key=queue,
                    headers=headers,
                    content_type=record.headers.get("_content_type"),
                    content_encoding=record.headers.get("_content_encoding"),
                    declare=[bound],
                    retry=True,
                )
            except (FrameSyntaxError, struct.error, RecursionError, TypeError, ValueError) as error:
                raise Refused(f"the broker's protocol has no form for its headers: {error}") from error

    return publish


def main(argv: Sequence[str]) -> int:
    """Do what the command line says; the exit code."""
    options = _parser().parse_args(argv[1:])
    if options.act in ("replay", "drop") and not options.ids and not options.all:
        _parser().error(f"{options.act} needs ids, or --all")
    app: ChassisApp = importlib.import_module(options.service).app
    choice = Choice(tuple(options.ids), options.task, options.reason, options.status, options.limit)
    parking = Parking(options.actor, publisher(app))
    with engine_for(app.settings.database_url).begin() as conn:
        if options.act == "show":
            return _show(parking.show(conn, options.ids[0]) if options.ids else None, as_json=options.json)
        if options.act == "list" or options.dry_run:
            records = parking.list(conn, choice)
        else:
            records = (parking.replay if options.act == "replay" else parking.drop)(conn, choice)
    verb = "would be " * options.dry_run + {"list": "parked", "replay": "replayed", "drop": "dropped"}[options.act]
    _print(records, verb, as_json=options.json)
    for record_id, why in parking.refused.items():
        sys.stderr.write(f"{record_id} is not replayed: {why}\n")
    missing = sorted(set(options.ids) - {record.id for record in records} - set(parking.refused))
    if missing:
        sys.stderr.write(f"not parked: {', '.join(map(str, missing))}\n")
    return 1 if missing or parking.refused else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chassis.parked", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("service", help="app module of the service, for example orders.app")
    parser.add_argument("act", choices=("list", "show", "replay", "drop"))
    parser.add_argument("ids", nargs="*", type=int)
    parser.add_argument("--all", action="store_true", help="everything that is parked and fits --task and --reason")
    parser.add_argument("--task")
    parser.add_argument("--reason", choices=REASONS)
    parser.add_argument("--status", choices=("parked", "replayed", "dropped"), default="parked")
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--actor", default=whoever(), help="who decides this, for the audit trail")
    return parser


def _print(records: Sequence[Record], verb: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"act": verb, "records": [asdict(r) for r in records]}, default=str) + "\n")
        return
    for record in records:
        key = record.key or "-"
        first = (record.detail.strip().splitlines() or [""])[-1][:100]
        sys.stdout.write(
            f"{record.id}\t{record.parked_at:%Y-%m-%d %H:%M:%S}\t{record.reason}\t{record.task}\t{key}\t{first}\n"
        )
    sys.stdout.write(f"{len(records)} {verb}\n")


def _show(found: tuple[Record, Acts] | None, *, as_json: bool) -> int:
    if found is None:
        sys.stderr.write("no such record\n")
        return 1
    record, acts = found
    told = {**asdict(record), "audit": acts}
    if as_json:
        sys.stdout.write(json.dumps(told, default=str) + "\n")
    else:
        sys.stdout.write("".join(f"{name}: {value}\n" for name, value in told.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
