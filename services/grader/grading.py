"""Grades one workspace: runs a lab's checks on a copy of the learner's files, one after the other, and says each verdict as it comes."""

import contextlib
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

from grader import checks, measuring
from grader.adapters import rabbitmq, scratch, workspaces
from grader.adapters.box import Box, around
from grader.domain.lab import Check, Lab
from grader.domain.verdict import Finding, Outcome, Result, Verdict, judged, missing, unjudged
from grader.errors import Interrupted, TooBusy, Unable
from grader.session import Session

GRACE_SECONDS = 5.0
"""How long a check may take to notice that its time is over, before the learner's programs are ended, and after that again."""

LOOK_SECONDS = 0.2
"""How long a grading goes on, at most, that is told to stop."""


def grade(
    lab: Lab,
    folder: Path,
    workspace: Path,
    box: Box,
    *,
    seed: int | None = None,
    practice: bool = False,
    said: Callable[[Verdict], None] = lambda verdict: None,
    starting: Callable[[Check], None] = lambda check: None,
    stop: threading.Event | None = None,
) -> Result:
    """The result of all checks. `folder` is the lab's in the trusted checkout; the box is ended.

    Raises WorkspaceError and Unable before anything has started, and Interrupted soon after `stop` was set, when all that was started
    has ended: a signal reaches no other thread of a process than its first.
    """
    stop, box = stop or threading.Event(), around(lab, box)
    seed = secrets.randbelow(2**31) if seed is None else seed
    with contextlib.ExitStack() as ends:
        ends.callback(box.end)
        ends.enter_context(measuring.watched())
        made = ends.enter_context(scratch.folder())
        copied = made / "workspace"
        workspaces.copy(workspace, copied)
        session = Session(folder, copied, made, box, seed, lab.servers)
        verdicts: list[Verdict] = []
        try:
            for check in lab.checks:
                starting(check)
                verdicts.append(_verdict(check, verdicts, session, stop))
                said(verdicts[-1])
        finally:
            session.end()
    return Result(
        lab=lab.slug,
        lab_version=lab.version,
        seed=seed,
        confined=box.confined,
        why_not_confined=box.why_not,
        versions={**box.versions(), **session.brokers()},
        verdicts=verdicts,
        practice=practice,
    )


def _verdict(check: Check, before: list[Verdict], session: Session, stop: threading.Event) -> Verdict:
    lacking = missing(check, before)
    if lacking:
        return unjudged(check, Outcome.SKIPPED, "needs", f"it needs what did not pass: {'; '.join(lacking)}")
    without = [server for server in check.servers if server in rabbitmq.absent()]
    if without:
        return unjudged(check, Outcome.SKIPPED, "server", f"{', '.join(without)} is not installed on this machine")
    started = time.monotonic()
    session.begin(check.seconds)
    try:
        finding = _carried_out(check, session, stop)
        if not finding.passed:
            scratch.room()
            session.box.check()
    except Interrupted:
        raise
    except Exception as error:  # noqa: BLE001 whatever a check raises is the grader's fault, and the other checks go on
        what = str(error) if isinstance(error, Unable) else f"{type(error).__name__}: {error}"
        reason = "busy" if isinstance(error, TooBusy) or _too_slow(error, started) else "grader"
        return unjudged(
            check, Outcome.ERROR, reason, f"the grader could not judge this: {what}", time.monotonic() - started
        )
    return judged(check, finding, time.monotonic() - started, session.output())


def _too_slow(error: Exception, since: float) -> bool:
    """Whether a server of the grader's gave no answer in time, on a slow machine. Each client names its exception so, of no common type."""
    return "timeout" in type(error).__name__.lower() and measuring.slowest(since) >= measuring.SLOW


def _carried_out(check: Check, session: Session, stop: threading.Event) -> Finding:
    """The finding of a check; one against the answer when its time is over. Raises what the check raises, and Interrupted."""
    ended: list[Finding | Exception] = []

    def carry_out() -> None:
        try:
            ended.append(checks.run(check.kind)(check.parameters, session))
        except Exception as error:  # noqa: BLE001 raised again by who waits
            ended.append(error)

    thread, began = threading.Thread(target=carry_out, daemon=True), time.monotonic()
    thread.start()
    while thread.is_alive() and session.late() < GRACE_SECONDS:
        thread.join(LOOK_SECONDS)
        if stop.is_set():
            raise Interrupted("the grading was told to stop")
    if thread.is_alive():
        # What it waits for is the learner's: without that, it comes to an end.
        session.end_programs()
        thread.join(GRACE_SECONDS)
        if measuring.slowest(began) >= measuring.SLOW:
            raise TooBusy(f"the check did not end within {check.seconds:g} s")
        if thread.is_alive():
            raise Unable(f"the check did not end within {check.seconds:g} s")
        return Finding(False, f"it took longer than {check.seconds:g} s", "timeout")
    if isinstance(ended[0], Exception):
        raise ended[0]
    return ended[0]
