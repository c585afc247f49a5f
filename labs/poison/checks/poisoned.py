"""A label that kills whoever draws it, others that do not, and a library that is mended."""

import json

from grader.calling import called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

MOST_DEATHS = 3
PARKED_SECONDS = 30
TASK = "shop.printing.draw_label"


def parked(session: Session) -> Finding:
    """Send a label that nobody survives, and others around it; wait until it is parked."""
    session.place("shop/labels.py", (session.lab / "starter" / "shop" / "labels.py").read_bytes())
    found = worker.run(worker.Parameters(app="shop.app", concurrency=2, tasks=("draw_label",)), session)
    if not found.passed:
        return found
    poison = f"poison-{session.random.randrange(16**6):06x}"
    names = [f"order-{session.random.randrange(16**6):06x}" for _ in range(6)]
    session.kept["poison"], session.kept["others"] = poison, names
    with session.valkey.client(9) as printer, session.valkey.client(2) as store:
        printer.sadd("disliked", poison)
        for name in (*names[:3], poison, *names[3:]):
            session.send(TASK, [name])

        def deaths() -> int:
            return int(printer.llen("deaths"))

        if not session.in_time(lambda: deaths() > 0, 20, every_seconds=0.05):
            return failed("not-begun", "a label was sent that kills its process, and nobody began to draw it")
        session.in_time(
            lambda: bool(store.hexists("parked", poison)) or deaths() > MOST_DEATHS, PARKED_SECONDS, every_seconds=0.1
        )
        entry, died = store.hget("parked", poison), deaths()
    if died > MOST_DEATHS:
        return failed("deaths", f"the message killed more than {MOST_DEATHS} processes, and goes on", deaths=died)
    if entry is None:
        return failed(
            "lost", f"after {died} deaths the message is neither parked nor tried again: it is lost", deaths=died
        )
    if not _reason(entry):
        return failed("no-reason", f"what is parked says no reason: {entry[:200]}", deaths=died)
    return passed(f"parked after {died} deaths: {_reason(entry)[:150]}", deaths=died)


def others(session: Session) -> Finding:
    """The labels around it, each of which must have been drawn."""
    names = session.kept["others"]
    with session.valkey.client(9) as printer:
        session.in_time(lambda: set(names) <= set(printer.lrange("drawn", 0, -1)), 15, every_seconds=0.1)
        missing = len(set(names) - set(printer.lrange("drawn", 0, -1)))
    if missing:
        return failed("missing", f"{missing} of {len(names)} other labels were not drawn", missing=missing)
    return passed(f"{len(names)} other labels were drawn")


def replayed(session: Session) -> Finding:
    """Mend the library, replay, and wait for the label."""
    poison = session.kept["poison"]
    with session.valkey.client(9) as printer, session.valkey.client(2) as store:
        printer.delete("disliked")
        end = called(session, "shop.printing:replay", [poison])
        if not end.ended or end.error:
            return failed("call", f"shop.printing:replay {end.why}")
        drawn = session.in_time(lambda: poison in printer.lrange("drawn", 0, -1), 20, every_seconds=0.1)
        still = bool(store.hexists("parked", poison))
    if not drawn:
        return failed("not-drawn", "the library is mended, the label was replayed, and it was not drawn")
    if still:
        return failed("still-parked", "the label was drawn, and is parked all the same")
    return passed("the library is mended, and the replayed label was drawn")


def _reason(entry: str) -> str:
    try:
        said = json.loads(entry)
    except ValueError:
        return ""
    return str(said.get("reason") or "") if isinstance(said, dict) else ""
