"""What a real RabbitMQ tells of its quorum queues, and which of them have too few members. Its one node cannot give them more."""

import pytest

from conductor.cluster import quorum_queues
from servers import PASSWORD, RabbitMQ

QUORUM = {"durable": True, "arguments": {"x-queue-type": "quorum"}}
CLASSIC = {"durable": True, "arguments": {"x-queue-type": "classic"}}


@pytest.fixture
def queues(rabbitmq: RabbitMQ, vhost: str) -> list[quorum_queues.QuorumQueue]:
    """Of two queues of the virtual host those that are quorum queues."""
    rabbitmq.api("PUT", f"queues/{vhost}/orders.saga", QUORUM)
    rabbitmq.api("PUT", f"queues/{vhost}/celery.pidbox", CLASSIC)
    found = quorum_queues.read(f"http://127.0.0.1:{rabbitmq.management_port}", ("tester", PASSWORD))
    return [queue for queue in found if queue.vhost == vhost]


def test_a_queue_of_one_node_is_led_there_and_has_its_only_member_there(
    queues: list[quorum_queues.QuorumQueue],
) -> None:
    (queue,) = queues

    assert ("orders.saga", 1) == (queue.name, len(queue.members))
    assert queue.members == queue.online == (queue.leader,)


def test_a_queue_with_one_of_three_members_is_named(queues: list[quorum_queues.QuorumQueue], vhost: str) -> None:
    (said,) = quorum_queues.short(queues, 3)

    assert said.startswith(f"the queue orders.saga of {vhost} has 1 of 3 members: ")
    assert [] == quorum_queues.unsettled(queues, 1)
