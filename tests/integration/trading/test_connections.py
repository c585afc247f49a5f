"""As many clients as a door takes may connect at one moment, also while the gateway is busy: none has to try again a second later."""

import json
import multiprocessing
import socket
from contextlib import ExitStack, closing
from pathlib import Path

from loadtests.trading.driven_engine import shard

from trading.adapters.board import Board
from trading.adapters.ring import Ring
from trading.processes import control, gateway


def test_connections_wait_until_the_gateway_accepts_them(tmp_path: Path) -> None:
    settings = shard(tmp_path, door_port=0)
    settings.sessions.write_text(json.dumps({"company": "VENUE", "symbols": {}, "sessions": {}}))
    context = multiprocessing.get_context("spawn")
    rings, board = (Ring(context), Ring(context)), Board()
    with ExitStack() as stack:
        for shared in (*rings, board):
            stack.callback(shared.unlink)
        busy = gateway.Gateway(settings, board, rings[0].sender(), rings[1].receiver())
        listeners = [busy._listener, *busy._control.listeners]
        for listener in listeners:
            stack.enter_context(closing(listener))

        # Nobody accepts. The kernel drops what goes beyond the backlog, and the client's kernel tries again after a second.
        for listener, most in zip(
            listeners, (gateway.CONNECTIONS, control.CONNECTIONS, control.CONNECTIONS), strict=True
        ):
            with ExitStack() as clients:
                for _ in range(most):
                    client = clients.enter_context(socket.socket(listener.family))
                    client.settimeout(0.5)
                    client.connect(listener.getsockname())
