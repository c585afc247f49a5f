"""`capstone trace ID`: where an order or a request spent its time, as a waterfall in the terminal."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from conductor import access, capstones
from conductor.access import CapstoneOption, NamespaceOption, RuntimeOption
from conductor.cluster.kubectl import NAMESPACE, Kubectl
from conductor.errors import Refused

if TYPE_CHECKING:
    from conductor.capstone import TraceSubject
    from conductor.harness.traces import Span

Told = Iterator[tuple["TraceSubject", "list[Span]"]]
"""By capstone: what its spans name, and those that were found."""

commands = typer.Typer()

SERVICE = "traces"
KINDS = ("jaeger", "tempo")
NOTHING_KEPT = (
    "the platform on this machine keeps no traces: `capstone down`, then `capstone up --observe`. A Jaeger or Tempo of yours "
    "keeps them as well, by `capstone up --set OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318`; name it with --jaeger or --tempo. "
    "For an installation in a cluster: --runtime kubernetes"
)


@commands.command("trace")
def trace_command(
    typed: Annotated[
        str, typer.Argument(metavar="ID", help="The order's id; the Idempotency-Key of a request of the analytics.")
    ],
    capstone: CapstoneOption = None,
    jaeger: Annotated[str | None, typer.Option(metavar="URL", help="Ask this Jaeger instead of the cluster's.")] = None,
    tempo: Annotated[str | None, typer.Option(metavar="URL", help="Ask this Tempo instead of the cluster's.")] = None,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
    messages: Annotated[bool, typer.Option("--messages", help="Also the messages that carried its commands.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as a page for a browser.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Where an order spent its time, from the request through outbox and queue to the outside: waits, attempts, and what failed.

    A request of the analytics is found by its key: the batch that carried it, and the flush into the counters; an order of the trading by
    its number: engine, journal, positions.
    """
    from conductor.harness import trace_screen
    from conductor.harness.trace_page import page
    from conductor.harness.waterfall import waterfall

    stored = (("jaeger", jaeger), ("tempo", tempo))
    kind, address = next(((name, url) for name, url in stored if url is not None), ("", None))
    if address is not None:
        told = _asked(kind, address, [capstone] if capstone else capstones.names(), typed)
    elif access.chosen(runtime, namespace) == "local":
        told = _kept_here(capstone, typed)
    else:
        told = _in_the_cluster(namespace, capstone, typed)
    named = ""
    for subject, spans in told:
        named = named or subject.noun
        if lines := waterfall(spans, subject.attribute, subject.value(typed), messages=messages or subject.carried):
            break
    else:
        raise Refused(f"no trace names the {named} {typed}: is it older than a day, or placed before tracing was on?")
    if html is not None:
        html.write_text(page(lines, f"{subject.noun.capitalize()} {typed}"))
        print(f"written to {html}")
    elif as_json:
        print(
            json.dumps([{**asdict(line.span), "depth": line.depth, "offset": round(line.offset, 6)} for line in lines])
        )
    else:
        trace_screen.show(Console(highlight=False), lines)


def _kept_here(capstone: str | None, typed: str) -> Told:
    """From the platform of this machine, of the capstone that is named, or of each that runs."""
    from conductor.harness import trace_screen
    from conductor.laptop.runtime import LocalRuntime

    for runtime in LocalRuntime.every(capstone):
        subject = runtime.platform.capstone.traced
        spans = trace_screen.kept(runtime, subject, typed)
        if spans is None:
            raise Refused(NOTHING_KEPT)
        yield subject, spans


def _in_the_cluster(namespace: str, capstone: str | None, typed: str) -> Told:
    from conductor.cluster import install
    from conductor.cluster.port_forward import forwarded, port_named

    names = [capstone] if capstone else install.installed(namespace)
    kubectl = Kubectl(namespace)
    store = port_named(kubectl, SERVICE, KINDS)
    if store is None:
        raise Refused("nothing keeps traces here: deploy the overlay observability, or give --jaeger or --tempo")
    kind, port = store
    with forwarded(kubectl, SERVICE, port) as address:
        yield from _asked(kind, address, names, typed)


def _asked(kind: str, address: str, names: Iterable[str], typed: str) -> Told:
    from conductor.capstone import load
    from conductor.harness import traces

    for name in names:
        subject = load(name).traced
        asked = traces.Asked(name, subject.attribute, subject.value(typed))
        yield subject, traces.found(kind, address, asked, now=time.time())
