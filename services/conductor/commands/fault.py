"""`capstone fault`: make an outside program fail, for a while."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from conductor import access, capstones
from conductor.access import Access, NamespaceOption, RuntimeOption
from conductor.cluster.kubectl import NAMESPACE
from conductor.command_line import as_typed
from conductor.errors import Refused

commands = typer.Typer(name="fault", no_args_is_help=True, help="Make outside programs fail, by rates that expire.")
Server = Annotated[str, typer.Argument(help="An outside program; `fault show` names those there are.")]


@commands.command("set")
def set_faults(
    server: Server,
    rates: Annotated[list[str], typer.Argument(metavar="KIND=RATE...", help="For example timeout_after=0.2")],
    seed: Annotated[int, typer.Option(help="The same seed makes the same calls fail.")] = 1,
    expires: Annotated[float, typer.Option(help="Seconds until it is well again by itself.")] = 60,
    slow: Annotated[float, typer.Option(help="Seconds that a slow answer takes.")] = 2,
    hang: Annotated[float, typer.Option(help="Seconds that a timed out call hangs.")] = 10,
    order: Annotated[list[str] | None, typer.Option(help="Only calls for these orders.")] = None,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Let a share of the calls fail, each kind with its own rate between 0 and 1."""
    body: dict[str, Any] = {
        "rate": dict(_rate(text) for text in rates),
        "seed": seed,
        "expires_in_seconds": expires,
        "slow_seconds": slow,
        "hang_seconds": hang,
    }
    if order:
        body["orders"] = order
    with _calling(runtime, namespace) as call:
        call("PUT", server, "faults", body)
    shares = ", ".join(f"{kind} {rate:.0%}" for kind, rate in body["rate"].items())
    whose = f" of orders {', '.join(order)}" if order else ""
    print(f"Of the calls to {server}{whose} fail for {expires:g} s: {shares}. {_ending(server)}")


@commands.command()
def outage(
    server: Server,
    seconds: Annotated[float, typer.Argument(min=0, help="How long, in seconds.")],
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Let every call fail for so many seconds."""
    with _calling(runtime, namespace) as call:
        call("POST", server, "outage", {"seconds": seconds})
    print(f"Every call to {server} fails for {seconds:g} s. {_ending(server)}")


@commands.command()
def show(
    server: Annotated[str | None, typer.Argument(help="One of them; all when left out.")] = None,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """What is set to fail now, as JSON."""
    names = [server] if server else list(_programs())
    with _calling(runtime, namespace) as call:
        print(json.dumps({name: call("GET", name, "faults") for name in names}))


@commands.command()
def clear(
    server: Annotated[str | None, typer.Argument(help="One of them; all when left out.")] = None,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Be well again at once."""
    with _calling(runtime, namespace) as call:
        for name in [server] if server else list(_programs()):
            for what in ("faults", "outage"):
                call("DELETE", name, what)
            print(f"No call to {name} fails on purpose any more.")


def _rate(text: str) -> tuple[str, float]:
    kind, _, rate = text.partition("=")
    try:
        return kind, float(rate)
    except ValueError:
        raise Refused(f'"{text}": KIND=RATE is expected, such as decline=0.1') from None


def _ending(server: str) -> str:
    return as_typed(f"`capstone fault clear {server}` ends it earlier.")


def _programs() -> dict[str, str]:
    """Those that some capstone calls and that can fail on purpose, each with the capstone."""
    return {one.name: name for name in capstones.names() for one in capstones.named(name).outside if one.takes_faults}


@contextlib.contextmanager
def _calling(runtime: str | None, namespace: str) -> Iterator[Callable[..., Any]]:
    """Administrative calls to the servers of the platform that is meant."""
    from conductor.harness import dependency_faults

    with contextlib.ExitStack() as stack:
        opened: dict[str, Access] = {}

        def call(method: str, server: str, what: str, body: dict[str, Any] | None = None) -> Any:
            owners = _programs()
            if server not in owners:
                raise Refused(f'"{server}" cannot fail on purpose; there are {", ".join(owners)}')
            owner = owners[server]
            if owner not in opened:
                opened[owner] = stack.enter_context(access.opened(runtime, namespace, owner))
            return dependency_faults.call(opened[owner].reach, method, server, what, body)

        yield call
