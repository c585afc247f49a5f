"""Start one server of the outside: command line, socket, ready line, and an end within two seconds of SIGTERM."""

import argparse
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from outside.access import AdminAccess
from outside.errors import Refused
from outside.gate import Gate
from outside.problems import on_http, on_refused

# What is left of the two seconds goes to the interpreter's own end.
GRACE_SECONDS = 1
# Longer than a client keeps a connection it does not use: the client closes first and never writes into a closing one.
KEEP_ALIVE_SECONDS = 75


def arguments(program: str, says: str) -> argparse.ArgumentParser:
    """The options every server has; each adds its own ports."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=says)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where the store is kept")
    return parser


def application(
    routes: list[Route],
    gate: Gate,
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    *,
    admin_token: str,
) -> Starlette:
    """The routes as an ASGI application that answers every refusal as problem+json; `gate` is closed when it stops.

    Ledger, messages and faults are open to the bearer of `admin_token`; see outside.access.
    """
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(AdminAccess, token=admin_token)],
        exception_handlers={Refused: on_refused, HTTPException: on_http},
    )
    app.state.gate = gate
    return app


def bound(host: str, port: int) -> socket.socket:
    """A listening socket's address, taken now. Exits 1 with one line when it is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise SystemExit(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def address(listener: socket.socket) -> str:
    """`host:port` of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def run(app: Starlette, listener: socket.socket, ready: str) -> None:
    """Serve until SIGTERM or SIGINT; the line `ready` is written to stdout once requests are answered."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    # uvicorn raises the signal again once it has stopped; that is a normal end, as is one before it has begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _Server(config, app.state.gate, ready).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, gate: Gate, ready: str) -> None:
        super().__init__(config)
        self._gate = gate
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(self._ready + "\n")
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gate.close()
        await super().shutdown(sockets)
