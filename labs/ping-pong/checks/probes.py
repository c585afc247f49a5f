"""A worker that consumes, one that is deaf, and a broker that says nothing, as the learner's probe sees them."""

import time

from grader import measuring
from grader.calling import Called, called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.remote_control import carry_out
from grader.session import Session, failed, passed

READY, ALIVE = "shop.probe:ready", "shop.probe:alive"
IN_A_ROW = 3
DEAF_SECONDS = 30
PROBE_SECONDS = 10
"""Longer than any probe should take, so that a busy machine is not taken for a deaf worker."""


def not_ready(session: Session) -> Finding:
    """Ask about a worker that consumes, and then about the same one when it consumes nothing any more."""
    found = worker.run(worker.Parameters(app="shop.app", name="first", concurrency=1), session)
    if not found.passed:
        return found
    sound = _sound(session)
    if not sound.passed:
        return sound
    carry_out(session.app, session.workers["first"], "cancel_consumer", queue="celery")
    began = time.monotonic()
    asked: list[Called] = []

    def unready() -> bool:
        asked.append(called(session, READY, seconds=PROBE_SECONDS))
        return asked[-1].value is False or bool(asked[-1].error)

    if not session.in_time(unready, DEAF_SECONDS, every_seconds=0.5):
        return failed(
            "deaf-and-ready", f"for {DEAF_SECONDS} s a worker consumed nothing, and ready() said that it takes work"
        )
    # On a slow machine a probe says no because nothing answered in its time.
    measuring.tell(began, measuring.HIDES)
    return passed(f"{time.monotonic() - began:.0f} s after the worker had stopped consuming it was not ready")


def replaced(session: Session) -> Finding:
    """The platform asks whether it is alive, three times in a row."""
    began = time.monotonic()
    said = [_yes(called(session, ALIVE, seconds=PROBE_SECONDS)) for _ in range(IN_A_ROW)]
    if any(said):
        return failed("left-alone", "a worker that consumes nothing is alive: nobody replaces it", alive=said)
    measuring.tell(began, measuring.HIDES)
    session.workers["first"].running.end()
    found = worker.run(worker.Parameters(app="shop.app", name="second", concurrency=1), session)
    return _sound(session) if found.passed else found


def outage(session: Session) -> Finding:
    """Stop the broker as it stands, ask a few times, and let it go on."""
    found = worker.run(worker.Parameters(app="shop.app", name="third", concurrency=1, alone=True), session)
    if not found.passed:
        return found
    session.valkey.stand_still()
    began = time.monotonic()
    try:
        answers = [called(session, ALIVE, seconds=PROBE_SECONDS) for _ in range(IN_A_ROW)]
    finally:
        session.valkey.go_on()
    said = [_yes(answer) for answer in answers]
    if not any(said):
        # One that says no had the time to; one that says nothing may only have been slow.
        if not all(answer.ended for answer in answers):
            measuring.tell(began)
        return failed("replaced", "the broker was away, and every worker would have been replaced", alive=said)
    if not _says_yes(session, READY, 30):
        return failed("unfit", "the broker is back, and ready() does not say that the worker takes work")
    return passed("the broker was away, nobody was replaced, and the worker was ready again afterwards", alive=said)


def _sound(session: Session) -> Finding:
    """Both questions about a worker that has just answered must be answered by yes, in a moment."""
    for function in (READY, ALIVE):
        end = called(session, function, seconds=PROBE_SECONDS)
        if not end.ended or end.error:
            return failed("call", f"{function} {end.why}")
        if not _says_yes(session, function, 15):
            return failed("unfit", f"a worker consumes its queue, and {function} does not say yes")
    return passed("a worker that consumes is ready and alive")


def _says_yes(session: Session, function: str, seconds: float) -> bool:
    """Whether it does so in time."""
    return session.in_time(lambda: _yes(called(session, function, seconds=PROBE_SECONDS)), seconds, every_seconds=0.5)


def _yes(end: Called) -> bool:
    """A probe that raises or does not end has failed, as one that says no."""
    return end.value is True
