"""A worker whose user may declare and publish at RabbitMQ, and not read."""

import subprocess
import sys
from typing import Any

from servers import RabbitMQ, wait_until


def test_a_worker_that_may_not_read_says_so_and_works_once_it_may(
    rabbit_shop: Any, rabbitmq: RabbitMQ, vhost: str
) -> None:
    command = [sys.executable, "-m", "chassis.declare", "shop"]
    subprocess.run(command, env=rabbit_shop.environment, check=True, capture_output=True)
    user = f"{vhost}-deaf"
    rabbitmq.api("PUT", f"users/{user}", {"password": "p", "tags": ""})

    def permit(read: str) -> None:
        rabbitmq.api("PUT", f"permissions/{vhost}/{user}", {"configure": ".*", "write": ".*", "read": read})

    permit("^$")
    rabbit_shop.worker(ready=False, BROKER_URL=f"amqp://{user}:p@127.0.0.1:{rabbitmq.port}/{vhost}")
    wait_until(lambda: rabbit_shop.state() == "unreachable", what="a worker that waits", seconds=60)

    assert "the permission read is missing" in rabbit_shop.record()["detail"]
    assert rabbit_shop.probe("live")[0] == 0

    permit(".*")
    rabbit_shop.send("shop.note")
    wait_until(lambda: "note" in rabbit_shop.acts(), what="a task once it may read")
