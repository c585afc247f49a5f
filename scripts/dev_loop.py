"""`python scripts/dev_loop.py`: what a save costs while `skaffold dev --profile dev` runs the orders. Three edits, each of them undone.

A comment is added to a module of the orders, then to one of the chassis, then a value of the chart is changed. Of each is told how long it
took until the last process worked with it, which images were built, what was started anew, and how many requests had no answer.
The last line is JSON. Needed: kubectl, docker, and a `skaffold dev` that has deployed.
"""

import argparse
import contextlib
import datetime
import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from conductor.cluster.kubectl import Kubectl, run, tool
from conductor.run_directory import CHECKOUT

SELECTOR = "app.kubernetes.io/instance=orders,track=stable"
"""Those of Deployments; a Job's pod goes while one looks."""
EDITS: dict[str, tuple[str, Callable[[str], str]]] = {
    "orders": ("services/orders/domain/order.py", lambda text: f"{text}# edited\n"),
    "chassis": ("services/chassis/clock.py", lambda text: f"{text}# edited\n"),
    # The last pool's own: no other Deployment changes.
    "chart": ("charts/orders/values.yaml", lambda text: "2001".join(text.rsplit("2000", 1))),
}
CALM_SECONDS = 8.0
"""Nothing more comes of an edit once nothing has for so long."""
PATIENCE_SECONDS = 180.0
ASK_SECONDS = 0.05
"""Pause between two requests of each client."""
LOOK_SECONDS = 1.0
"""Pause between two looks at the pods and what they said. A look is three runs of kubectl, and takes CPU from what is measured."""


@dataclass
class Answers:
    """What clients were told."""

    asked: int = 0
    unanswered: list[str] = field(default_factory=list)


@contextlib.contextmanager
def asking(kubectl: Kubectl) -> Iterator[Answers]:
    """Two clients of the API, by way of the API server, which finds the pods as any client of the Service does."""
    argv = [tool("kubectl"), "proxy", "--port=0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as proxy:
        said = proxy.stdout.readline() if proxy.stdout else ""
        port = said.strip().rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/api/v1/namespaces/{kubectl.namespace}/services/orders-api:http/proxy/"
        answers, enough = Answers(), threading.Event()

        def ask() -> None:
            while not enough.wait(ASK_SECONDS):
                answers.asked += 1
                try:
                    with urllib.request.urlopen(url, timeout=10) as answer:
                        answer.read()
                except OSError as error:
                    answers.unanswered.append(repr(error))

        clients = [threading.Thread(target=ask) for _ in range(2)]
        for client in clients:
            client.start()
        try:
            yield answers
        finally:
            enough.set()
            for client in clients:
                client.join()
            proxy.terminate()


def pods(kubectl: Kubectl) -> dict[str, dict[str, Any]]:
    """Those that run, by name."""
    return {
        pod["metadata"]["name"]: pod
        for pod in kubectl.pods(SELECTOR)
        if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
    }


def settled(kubectl: Kubectl) -> bool:
    """Whether every Deployment has its pods, new and ready."""
    found = json.loads(kubectl("get", "deployments", "--selector", SELECTOR, "--output", "json"))["items"]
    return all(
        each["status"].get("observedGeneration") == each["metadata"]["generation"]
        and each["spec"]["replicas"]
        == each["status"].get("readyReplicas")
        == each["status"].get("updatedReplicas")
        == each["status"].get("replicas")
        for each in found
    )


def told(kubectl: Kubectl, since: datetime.datetime) -> list[tuple[float, str]]:
    """What the pods' reloaders said, each with the seconds after `since`."""
    # A pod that only begins has no log yet, which is an error.
    period = ("--timestamps", f"--since-time={since.isoformat()}", "--tail=-1", "--ignore-errors")
    lines = kubectl("logs", "--selector", SELECTOR, *period).splitlines()
    found = [line.partition(" ") for line in lines if " reload: " in line]
    return [(moment(stamp) - since.timestamp(), text) for stamp, _, text in found]


def moment(stamp: str) -> float:
    """Kubernetes' time stamp, which has nanoseconds."""
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z", r"\1+00:00", stamp)).timestamp()


def measure(kubectl: Kubectl, name: str) -> dict[str, Any]:
    """Make an edit, wait until nothing more comes of it, and say what did."""
    file, edit = EDITS[name]
    before = pods(kubectl)
    with asking(kubectl) as answers:
        since = datetime.datetime.now(datetime.UTC)
        path = CHECKOUT / file
        path.write_text(edit(path.read_text()))
        serves, changes, replaced = outcome(kubectl, before, since, in_place=name != "chart")
    until = datetime.datetime.now(datetime.UTC)
    period = ("--since", f"{since.timestamp():.3f}", "--until", f"{until.timestamp():.3f}")
    tags = run(
        [
            "docker",
            "events",
            *period,
            "--filter",
            "type=image",
            "--filter",
            "event=tag",
            "--format",
            "{{.Actor.Attributes.name}}",
        ]
    )
    return {
        "edit": file,
        "seconds": round(serves, 1),
        "images_built": sorted({tag for tag in tags.split() if "celery-capstones" in tag}),
        "processes_restarted": changes,
        "pods": len(before),
        "pods_replaced": replaced,
        "requests": answers.asked,
        "unanswered": len(answers.unanswered),
        "first_unanswered": answers.unanswered[:1],
    }


def outcome(
    kubectl: Kubectl, before: dict[str, dict[str, Any]], since: datetime.datetime, *, in_place: bool
) -> tuple[float, int, int]:
    """Seconds until the last one worked with the edit, processes that were started anew in their pods, pods that were replaced."""
    seen: tuple[int, int, int] = (-1, -1, -1)
    changed_at = time.monotonic()
    end = changed_at + PATIENCE_SECONDS
    ready_at = 0.0
    while time.monotonic() < end:
        now, lines = pods(kubectl), told(kubectl, since)
        serving = [after for after, text in lines if "the new code serves" in text]
        changes = sum(text.endswith(" changed") for _, text in lines)
        replaced = len(now.keys() - before.keys())
        done = settled(kubectl) and (len(serving) >= len(before) if in_place else replaced > 0)
        if done and not ready_at:
            ready_at = time.time() - since.timestamp()
        if (changes, len(serving), replaced) != seen:
            seen, changed_at = (changes, len(serving), replaced), time.monotonic()
        elif done and time.monotonic() - changed_at > CALM_SECONDS:
            return max(serving) if in_place else ready_at, changes, replaced
        time.sleep(LOOK_SECONDS)
    raise SystemExit(
        f"no end within {PATIENCE_SECONDS:g} s: {seen[0]} changed, {seen[1]} serve, {seen[2]} pods replaced"
    )


def main() -> int:
    """Measure them one after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--namespace", default="capstones")
    parser.add_argument("edits", nargs="*", default=list(EDITS), help=f"of {', '.join(EDITS)}")
    chosen = parser.parse_args()
    for name in chosen.edits:
        if name not in EDITS:
            parser.error(f'"{name}" is no edit: there are {", ".join(EDITS)}')
    kubectl = Kubectl(chosen.namespace)
    if not pods(kubectl):
        raise SystemExit(
            f"no pod of the orders runs in the namespace {chosen.namespace}: start `skaffold dev --profile dev` first"
        )
    results = []
    for name in chosen.edits:
        path = CHECKOUT / EDITS[name][0]
        original = path.read_bytes()
        try:
            results.append(measure(kubectl, name))
            before, since = pods(kubectl), datetime.datetime.now(datetime.UTC)
        finally:
            path.write_bytes(original)
        sys.stdout.write(f"{json.dumps(results[-1], indent=1)}\n")
        outcome(kubectl, before, since, in_place=name != "chart")
    sys.stdout.write(f"{json.dumps(results)}\n")
    return 1 if any(each["unanswered"] for each in results) else 0


if __name__ == "__main__":
    sys.exit(main())
