"""Where the parts meet: the Celery app, the relay and the API of the orders, made from the environment's settings.

Workers import this module before they fork, so it opens nothing; what a process needs is made when it is first asked for.
"""

from functools import cache
from typing import Any

from chassis import metrics
from chassis.app import make_app
from chassis.breaker import Breaker
from chassis.database import connect
from chassis.dead_letters import collect_dead_letters
from chassis.declare import declare_app
from chassis.heartbeat import Heartbeat
from chassis.relay import Relay
from orders import tasks
from orders.queues import BATCH, QUEUES, SERVICE
from orders.settings import Settings
from orders.usecases.orders import Orders

SETTINGS = Settings

settings = Settings()


@cache
def _orders() -> Orders:
    """The use cases of this process, made at its first task: after the fork, so that no connection is shared across it."""
    from orders.adapters.store import PostgresMailLog, PostgresOrderStore
    from orders.usecases.acts import acts
    from orders.usecases.labels import Labels
    from orders.usecases.mails import Mails
    from orders.usecases.steps import Steps

    pooler = settings.behind_pooler
    engine = connect(settings.database_url, pooler=pooler)
    mail_log = connect(settings.database_url, pool_size=1, durable=False, pooler=pooler)
    payments, carrier, mailer, printer = _outside()
    return Orders(
        engine,
        PostgresOrderStore,
        Steps(
            parallel=settings.outside_parallel,
            budget_seconds=settings.batch_budget_seconds,
            attention_after_failures=settings.attention_after_failures,
        ),
        acts(payments, carrier, printer),
        Mails(
            mailer,
            PostgresMailLog(mail_log),
            domain=settings.mail_from.rpartition("@")[2],
            budget_seconds=settings.batch_budget_seconds,
        ),
        Labels(printer),
        max_attempts=settings.max_attempts,
        observer=metrics.count_command,
    )


def _outside() -> tuple[Any, Any, Any, Any]:
    """The adapters of payment provider, carrier, mail server and label printer."""
    from orders.adapters.labels import PdfLabels

    if settings.outside == "instant":
        from orders.adapters.instant import InstantCarrier, InstantMailer, InstantPayments

        return InstantPayments(), InstantCarrier(), InstantMailer(), PdfLabels()

    from orders.adapters.carrier import HttpCarrier
    from orders.adapters.mail import SmtpMailer
    from orders.adapters.payments import HttpPayments
    from orders.adapters.wire import Wire

    def wire(name: str, url: str) -> Wire:
        breaker = Breaker(name, store_url=settings.store_url)
        return Wire(url, name=name, total_seconds=settings.outside_timeout_seconds, breaker=breaker)

    mailer = SmtpMailer(
        settings.smtp_host,
        settings.smtp_port,
        sender=settings.mail_from,
        total_seconds=settings.outside_timeout_seconds,
        taken_seconds=settings.mail_taken_seconds,
        breaker=Breaker("mail server", store_url=settings.store_url),
    )
    payments = HttpPayments(wire("payment provider", settings.payments_url))
    return payments, HttpCarrier(wire("carrier", settings.carrier_url)), mailer, PdfLabels()


def _clock() -> dict[str, Any]:
    """The periodic tasks by name."""
    return {
        "orders.expire": lambda: _orders().expire_reservations(),
        "orders.reconcile": lambda: _orders().reconcile(),
        "orders.prune": lambda: _prune(),
        "orders.collect_dead_letters": lambda: collect_dead_letters(app),
    }


def _prune() -> None:
    from datetime import timedelta

    from orders.adapters.pruning import PostgresPruning
    from orders.usecases.prune import prune

    engine = connect(settings.database_url, pool_size=1, pooler=settings.behind_pooler)
    archive = PostgresPruning(engine)
    prune(archive, archive.now() - timedelta(days=settings.retention_days))
    engine.dispose()


app = make_app(
    SERVICE,
    QUEUES,
    settings,
    beat_schedule={
        name: {"task": f"orders.{name}", "schedule": seconds}
        for name, seconds in {
            "expire": settings.expire_every_seconds,
            "reconcile": settings.reconcile_every_seconds,
            "prune": settings.prune_every_seconds,
            "collect_dead_letters": settings.collect_every_seconds,
        }.items()
    },
)
tasks.register(app, _orders, _clock())


def make_relay() -> Relay:
    """The relay of this service's outbox."""
    return Relay(
        connect(settings.database_url, pool_size=1, pooler=settings.behind_pooler),
        app,
        exchange=SERVICE,
        declare=lambda: declare_app(app),
        batch=BATCH,
        lease_seconds=settings.relay_lease_seconds,
        interval_seconds=settings.relay_interval_ms / 1000,
        messages=settings.relay_messages,
        gather_seconds=settings.relay_gather_ms / 1000,
        heartbeat=Heartbeat(settings.heartbeat_file, "relay"),
    )


def make_api() -> Any:
    """The HTTP API, an ASGI application."""
    from orders.adapters.intake_store import PostgresIntakeStore
    from orders.api import make_api as api

    engine = connect(
        settings.database_url,
        pool_size=settings.api_threads,
        statement_timeout_seconds=3.0,
        pooler=settings.behind_pooler,
    )
    return api(PostgresIntakeStore(engine), settings=settings)
