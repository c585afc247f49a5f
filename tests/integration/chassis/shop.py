"""A small service for the chassis' tests; what its tasks did is in the file that OUT names, one line an act."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from celery import signals
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from chassis import tracing
from chassis.app import make_app
from chassis.errors import Permanent
from chassis.settings import ServiceSettings

SETTINGS = ServiceSettings
settings = ServiceSettings()
app = make_app(
    "shop",
    ("shop.till", "shop.stock"),
    settings,
    beat_schedule={
        "tick": {"task": "shop.note", "schedule": 1.0, "kwargs": {"text": "tick"}},
        "look": {"task": "shop.look", "schedule": 3600.0, "kwargs": {"how": "well"}},
    },
)


@signals.worker_process_init.connect(weak=False)
def slow_start(**_: Any) -> None:
    """As on a machine whose CPU is short."""
    time.sleep(float(os.environ.get("CHILD_STARTS_SECONDS", "0")))


def act(text: str) -> None:
    with Path(os.environ["OUT"]).open("a") as out:
        out.write(f"{text} {os.getpid()}\n")


@app.task(name="shop.note")
def note(text: str = "note") -> None:
    act(text)


@app.task(name="shop.tally")
def tally(number: int) -> None:
    act(f"begins {number}")
    time.sleep(0.01)
    act(f"ends {number}")


@app.task(name="shop.nap")
def nap(seconds: float) -> None:
    act("begin")
    time.sleep(seconds)
    act("end")


@app.task(name="shop.fail")
def fail(permanent: bool = False, says: str = "boom", times: int = 1) -> None:
    raise Permanent("never") if permanent else RuntimeError(says * times)


@app.task(name="shop.die")
def die() -> None:
    act("dies")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="shop.look")
def look(how: str) -> None:
    """A periodic task that looks into something, and what it may meet there."""
    if how == "well":
        act("look")
        return
    if how == "a bug":
        raise ValueError("a bug")
    if how == "soft limit":
        time.sleep(60)
    if how == "broker":
        with make_app("shop", ("shop.till",), settings.replace(broker_url="amqp://127.0.0.1:1/none")) as away:
            away.send_task("shop.note")
    elsewhere = settings.database_url if how == "timeout" else "postgresql+psycopg://nobody@127.0.0.1:1/none"
    with sa.create_engine(elsewhere, poolclass=sa.NullPool).connect() as conn:
        conn.execute(sa.text("SET statement_timeout TO 10"))
        conn.execute(sa.text("SELECT pg_sleep(5)"))


@app.task(name="shop.stubborn")
def stubborn() -> None:
    """Takes no notice of its soft limit."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(Exception):
            time.sleep(60)


@app.task(name="shop.imported")
def imported() -> None:
    """Which of the libraries that cost something were imported."""
    act("imported " + " ".join(name for name in ("opentelemetry", "prometheus_client", "redis") if name in sys.modules))


@app.task(name="shop.reserve", versions=(1, 2))
def reserve(v: int, ids: list[int]) -> None:
    act(f"reserve v{v} {','.join(map(str, ids))}")
    if ids == [666]:
        raise RuntimeError("a bug in a batch")


def open_spans() -> None:
    """More than a collector that does not answer is offered before its process ends."""
    for _ in range(3000):
        with tracing.span("one of many"):
            pass


@app.task(name="shop.trace")
def trace() -> None:
    open_spans()
    act("traced")


async def _trace(_: Request) -> PlainTextResponse:
    open_spans()
    return PlainTextResponse("traced")


async def _hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def _events(request: Request) -> StreamingResponse:
    async def stream() -> Any:
        yield "data: open\n\n"
        await request.app.state.draining.wait()
        yield "data: closed\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


async def _stuck(_: Request) -> StreamingResponse:
    async def stream() -> Any:
        yield "data: open\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(stream(), media_type="text/event-stream")


async def _silent(_: Request) -> PlainTextResponse:
    await asyncio.Event().wait()
    return PlainTextResponse("never")


def make_relay() -> Any:
    from chassis.database import connect
    from chassis.declare import declare_app
    from chassis.heartbeat import Heartbeat
    from chassis.relay import Relay

    heartbeat = Heartbeat(settings.heartbeat_file, "relay")
    engine = connect(settings.database_url, pool_size=1)
    return Relay(engine, app, exchange="shop", declare=lambda: declare_app(app), batch={}, heartbeat=heartbeat)


def make_api() -> Starlette:
    paths = {"/hello": _hello, "/events": _events, "/stuck": _stuck, "/silent": _silent, "/trace": _trace}
    return Starlette(routes=[Route(path, answer) for path, answer in paths.items()])


def rows(database_url: str, query: str) -> list[Any]:
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    with engine.begin() as conn:
        return list(conn.execute(sa.text(query)))
