"""Users of this grading's own, their reports, and the order in which the tasks of a workflow ran."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from grader.calling import Called, called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

ONE, BATCH = "workflow:create_user_analysis_workflow", "workflow:batch_analyze_users"
FETCHES = ("fetch_user_data", "fetch_user_posts", "fetch_user_friends")
LINE = ("process_user_data", "calculate_scores", "generate_report")
UNKNOWN = 404


def worker_of_other_users(session: Session) -> Finding:
    """Start the worker on a people.py with users of this grading's own."""
    draw = session.random.randrange
    users: dict[int, dict[str, Any]] = {
        1000 + 7 * number: {
            "name": f"user-{draw(16**6):06x}",
            "likes": [draw(50) for _ in range(draw(6))],
            "friends": [f"friend-{draw(16**4):04x}" for _ in range(draw(6))],
        }
        for number in range(4)
    }
    session.kept["users"] = users
    text = (session.lab / "starter" / "people.py").read_text()
    session.place("people.py", f"{text}\nUSERS = {users!r}\n")
    return worker.run(worker.Parameters(app="workflow", tasks=(*FETCHES, *LINE)), session)


def report(session: Session) -> Finding:
    """Three users that the check made up, one after the other."""
    users = _users(session)
    for user_id in list(users)[:3]:
        end = called(session, ONE, [user_id])
        if "id" not in _ids(end):
            return _no_id(ONE, end)
        finding = _compared(session, user_id, users[user_id], end.value["id"])
        if not finding.passed:
            return finding
    return passed("three reports of three users that were made up for this check")


def batch(session: Session) -> Finding:
    """Five users, of whom the third is nobody: the others must not suffer for it."""
    users = _users(session)
    asked = [*list(users)[:2], UNKNOWN, *list(users)[2:4]]
    end = called(session, BATCH, [asked])
    children = _ids(end).get("children", [])
    if len(children) != len(asked):
        return _no_id(BATCH, end)
    for user_id, child in zip(asked, children, strict=True):
        if user_id != UNKNOWN:
            finding = _compared(session, user_id, users[user_id], child["id"])
            if not finding.passed:
                return finding
            continue
        failure = session.results.final(child["id"], session.left(15))
        if failure is None:
            return failed("wrong-end", "the unknown user's result never ended: who waits for it waits for ever")
        if failure.what["status"] != "FAILURE":
            return failed("wrong-end", f"the unknown user's result is {failure.what['status']}, not FAILURE")
    return passed("four reports, and one error where it belongs")


def shape(session: Session) -> Finding:
    """Read from the worker's events when each task of one workflow began and ended."""
    users = _users(session)
    before = len(session.events.all())
    end = called(session, ONE, [next(iter(users))])
    if "id" not in _ids(end):
        return _no_id(ONE, end)
    if session.events.final(end.value["id"], session.left(15)) is None:
        return failed("no-end", "the last task of the workflow did not end")
    began, ran = _ran(session, before)
    for name in (*FETCHES, *LINE):
        if len(ran.get(name, [])) != 1:
            return failed("other-tasks", f"{name} ran {len(ran.get(name, []))} times as a task of its own, not once")
    sender = {name: events[0]["parent_id"] for name, events in ran.items()}
    ids = {name: events[0]["uuid"] for name, events in ran.items()}
    chained = [name for name in FETCHES if sender[name] in ids.values()]
    if chained:
        return failed("no-fan-out", f"{', '.join(chained)} was not sent before another task had ended", began=began)
    for first, then in pairwise(LINE):
        if sender[then] != ids[first]:
            return failed("order", f"{then} does not follow from {first}", began=began)
    if began[LINE[0]] < max(began[name] for name in FETCHES):
        return failed("order", f"{LINE[0]} began before the three fetches had begun", began=began)
    return passed("three fetches, a join, and two tasks behind it", began=began)


def _ran(session: Session, before: int) -> tuple[dict[str, float], dict[str, list[Mapping[str, Any]]]]:
    """When each task began since then, in seconds after the first, and the events of its reception; by the last part of its name.

    That a task ended is said only after the next one was sent, so that the end of one and the begin of the next tell nothing.
    """
    events = [seen.what for seen in session.events.all()[before:]]
    received: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        if event["type"] == "task-received":
            received.setdefault(event["name"].rpartition(".")[2], []).append(event)
    names = {event["uuid"]: name for name, all_of_it in received.items() for event in all_of_it}
    starts = [event for event in events if event["type"] == "task-started" and event["uuid"] in names]
    first = min((event["timestamp"] for event in starts), default=0.0)
    return {names[event["uuid"]]: round(event["timestamp"] - first, 3) for event in starts}, received


def _compared(session: Session, user_id: int, user: dict[str, Any], task_id: str) -> Finding:
    end = session.results.final(task_id, session.left(15))
    if end is None:
        return failed("no-end", f"the workflow of user {user_id} did not end: its last task has no result")
    if end.what["status"] != "SUCCESS":
        return failed("failed", f"the workflow of user {user_id} failed: {str(end.what['result'])[:200]}")
    activity, reach = 2 * len(user["likes"]) + sum(user["likes"]), 5 * len(user["friends"])
    expected = {
        "user_id": user_id,
        "name": user["name"],
        "posts": len(user["likes"]),
        "friends": len(user["friends"]),
        "scores": {"activity": activity, "reach": reach, "total": activity + reach},
    }
    if end.what["result"] != expected:
        got = str(end.what["result"])[:300]
        return failed("wrong-value", f"user {user_id}: the report is {got}, not {expected}", expected=expected)
    return passed("as expected")


def _users(session: Session) -> dict[int, dict[str, Any]]:
    """Users by their ids, as the worker has them."""
    users: dict[int, dict[str, Any]] = session.kept["users"]
    return users


def _ids(end: Called) -> dict[str, Any]:
    return end.value if isinstance(end.value, dict) else {}


def _no_id(function: str, end: Called) -> Finding:
    if not end.ended or end.error:
        return failed("call", f"{function} {end.why}")
    return failed("no-id", f"{function} returned {str(end.value)[:100]}, not a result that can be waited for")
