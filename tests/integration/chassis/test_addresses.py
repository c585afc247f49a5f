"""Where a process listens: addresses of both families, and on `::` whoever comes over either."""

import socket
from typing import Any

import pytest

from servers import free_port, wait_until

STARTS: dict[str, tuple[str, ...]] = {
    "worker": (
        "celery", "--app", "shop:app", "worker", "--concurrency", "1", "--pool", "solo", "--prefetch-multiplier", "1",
        "--time-limit", "20", "--soft-time-limit", "10",
    ),
    "beat": ("celery", "--app", "shop:app", "beat"),
    "relay": ("chassis.relay", "shop"),
    "api": ("chassis.serve", "shop"),
    "api that shares its port": ("chassis.serve", "shop"),
}  # fmt: skip


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["::", "::1", "0.0.0.0", "localhost"])
@pytest.mark.parametrize("role", STARTS)
def test_a_process_listens_where_it_is_told(shop_on: Any, role: str, host: str) -> None:
    port = free_port()
    shop = shop_on("amqp://127.0.0.1:1/none")
    name = "PORT" if role.startswith("api") else "METRICS_PORT"
    process = shop.start(*STARTS[role], **{name: str(port), "HOST": host, "SHARE_PORT": str("shares" in role)})
    expected = {"::": ("::1", "127.0.0.1"), "::1": ("::1",)}.get(host, ("127.0.0.1",))

    def answered() -> bool:
        assert process.poll() is None, shop.log()[-500:]
        return all(answers(address, port) for address in expected)

    wait_until(answered, what=f"{role} on {host}")
