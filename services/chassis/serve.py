"""`python -m chassis.serve orders.app`: the API of a service, until it is told to end; see chassis.http.server."""

import importlib
import sys

from prometheus_client import REGISTRY

from chassis import health, logs, metrics, tracing
from chassis.gc_paused import gc_paused
from chassis.http.server import serve
from chassis.settings import ServiceSettings


def main(argv: list[str]) -> int:
    """Serve the API of the service named by its app module."""
    if len(argv) != 2:
        sys.stderr.write("usage: python -m chassis.serve SERVICE.app\n")
        return 2
    with gc_paused():
        service = importlib.import_module(argv[1])
        settings: ServiceSettings = service.SETTINGS()
        name = argv[1].partition(".")[0]
        logs.configure(settings, name)
        metrics.start(settings, REGISTRY)
        tracing.start(settings, name)
        api = service.make_api()
        health.serve(settings, REGISTRY)
    try:
        return serve(api, settings)
    finally:
        tracing.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
