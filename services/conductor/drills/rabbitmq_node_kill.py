"""The RabbitMQ node that leads most of the capstone's queues is killed under load and comes back, and then another one.

Nothing says goodbye: the Erlang machine ends by SIGKILL, and its pod is deleted. Each queue that it led gets another leader from the two
members that are left, and a publisher or worker that was connected to it connects to another node. The second node is killed only when
every queue has all its members again, because two of three are what a queue needs.

The outbox would publish again whatever the broker forgot. So the drill has messages of its own published to a queue that the victim leads,
and sees that what was confirmed is there.
"""

import contextlib
import secrets
import time

from conductor.cluster import quorum_queues
from conductor.cluster.quorum_queues import QuorumQueue
from conductor.cluster.releases import name_of
from conductor.cluster.runtime import KubernetesRuntime, ready_at
from conductor.errors import ClusterFailed, Refused
from conductor.harness import questions
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.drill import Drill

AWAY_SECONDS = 30.0
"""How long a publisher may wait for a confirm while a leader is replaced."""

NODE_SECONDS = 240.0
"""How long a node may take to come back with a member of every queue."""

KILL_EVERYTHING = ("sh", "-c", "kill -9 -1")
"""Run in the pod: the Erlang machine is a child of the container's first process, which ends with it."""


def play(session: ClusterSession) -> None:
    """Refuse what has too few members; kill the leader, wait until every queue is whole, and kill the next one."""
    _expect_whole(session)
    with session.load():
        first = _kill(session, but=None)
        _kill(session, but=first)


def _expect_whole(session: ClusterSession) -> None:
    """Refused, naming a queue, where the loss of a node would be the loss of messages."""
    wrong = quorum_queues.unsettled(quorum_queues.look(session.runtime.kubectl), quorum_queues.MEMBERS)
    if wrong:
        raise Refused(wrong[0])


def _enough_nodes(runtime: KubernetesRuntime) -> None:
    nodes = quorum_queues.nodes(runtime.kubectl)
    if nodes < quorum_queues.MEMBERS:
        raise Refused(f"of {quorum_queues.MEMBERS} RabbitMQ nodes there are {nodes}: k8s/overlays/ha brings them")


def _kill(session: ClusterSession, *, but: str | None) -> str:
    """Kill the node that leads most of the capstone's queues, and wait until it is back. Returns its name."""
    runtime, tell = session.runtime, session.reporter.tell
    own = _own(session)
    node = quorum_queues.leading_most(own, but=but)
    if node is None:
        raise ClusterFailed(f"no node but {but} leads a queue of {session.capstone.name}")
    pod = quorum_queues.host(node)
    led = [queue.name for queue in own if queue.leader == node]
    stream = f"{runtime.own.vhost}.confirmed-{secrets.token_hex(4)}"
    session.ask(questions.PublishConfirmed(stream, f"{pod}.{quorum_queues.BROKER}-nodes"))
    in_flight = session.await_loaded()
    tell(f"[red]{pod} is killed[/red] with {in_flight} requests in flight; it leads {', '.join(led)}, and {stream}")
    with session.fault("rabbitmq", "server", in_flight):
        since = time.monotonic()
        before = _uid(session, pod)
        with contextlib.suppress(ClusterFailed):  # the command ends with what it kills
            runtime.kubectl("exec", pod, "--container", quorum_queues.BROKER, "--", *KILL_EVERYTHING)
        runtime.kill_pod(pod)
        session.wait_for(lambda: _led_elsewhere(session, node), f"other leaders than {pod}", NODE_SECONDS)
        tell(f"every queue is led by another node {time.monotonic() - since:.1f} s after the kill, or before")
        session.await_progress()
        tell(f"new requests are completed {time.monotonic() - since:.1f} s after the kill, or before")
        session.wait_for(lambda: _is_back(session, pod, before), f"{pod} to be back", NODE_SECONDS)
        left: list[str] = []
        session.wait_for(
            lambda: _whole(session, left), lambda: f"every queue to be whole: {'; '.join(left)}", NODE_SECONDS
        )
    tell(f"{pod} is back, with a member of every queue, {time.monotonic() - since:.1f} s after the kill")
    told = session.ask(questions.Confirmed(stream))
    missing = told["missing"]
    tell(
        f"{told['confirmed']} messages of {stream} were confirmed, {len(missing)} of them are missing; "
        f"the longest time without a confirm was {told['longest']} s; the publisher's connection broke: {told['error'] or 'never'}"
    )
    session.expect(
        bool(told["error"]), f"the publisher of {stream} was never cut off, so it was not at the node that was killed"
    )
    session.expect(not missing, f"{len(missing)} messages were confirmed and are gone: {missing[:5]}")
    session.expect(told["longest"] <= AWAY_SECONDS, f"nothing was confirmed for {told['longest']} s")
    return node


def _own(session: ClusterSession) -> list[QuorumQueue]:
    queues = quorum_queues.look(session.runtime.kubectl)
    return [queue for queue in queues if queue.vhost == session.runtime.own.vhost]


def _led_elsewhere(session: ClusterSession, node: str) -> bool:
    """False also while the broker cannot be asked."""
    try:
        return all(queue.leader not in (None, node) for queue in _own(session))
    except ClusterFailed:
        return False


def _uid(session: ClusterSession, pod: str) -> str:
    return session.runtime.kubectl("get", "pod", pod, "--ignore-not-found", "--output", "jsonpath={.metadata.uid}")


def _is_back(session: ClusterSession, pod: str, before: str) -> bool:
    pods = session.runtime.kubectl.pods(f"app.kubernetes.io/name={quorum_queues.BROKER}")
    return any(name_of(one) == pod and one["metadata"]["uid"] != before and ready_at(one) for one in pods)


def _whole(session: ClusterSession, left: list[str]) -> bool:
    try:
        left[:] = quorum_queues.unsettled(quorum_queues.look(session.runtime.kubectl), quorum_queues.MEMBERS)
    except ClusterFailed as error:
        left[:] = [str(error)]
    return not left


DRILL = Drill(
    "rabbitmq-node-kill",
    "kills the broker's node that leads the queues, then another",
    on_cluster=play,
    requests=1000,
    prerequisite=_enough_nodes,
)
