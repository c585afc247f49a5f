"""The doors of what is a task. Batches are none: they are counted by `usecases.aggregate`, called by the chassis' batch consumer.

| task | queue | does |
|---|---|---|
| analytics.recommend | analytics.upkeep | by the clock: sends users with new engagements, in chunks |
| analytics.recommend_users | analytics.recommend | learns what is new of some users and stores their recommendations |
| analytics.report | analytics.reports | by the clock: makes the reports that are missing or changed |
| analytics.expire_archive | analytics.reports | by the clock: removes what is older than the archive is kept |
| analytics.collect_dead_letters | analytics.upkeep | by the clock: brings the broker's dead letters into the table of what is parked |
"""

from collections.abc import Callable
from typing import Any

from analytics.queues import RECOMMEND_USERS
from chassis.app import ChassisApp


def register(app: ChassisApp, clock: dict[str, Callable[[], Any]], learn: Callable[[list[str]], Any]) -> None:
    """Give the app its tasks; `clock` has the periodic ones by name, `learn` takes the users of a chunk."""

    # The clock sends users again until their list is stored, so a store that is away is no reason to park them.
    @app.task(name=RECOMMEND_USERS, shared=False, sent_again=True)  # type: ignore[untyped-decorator]
    def perform(*, v: int, users: list[str]) -> None:
        learn(users)

    for name, run in clock.items():
        _periodic(app, name, run)


def _periodic(app: ChassisApp, name: str, run: Callable[[], Any]) -> None:
    @app.task(name=name, shared=False)  # type: ignore[untyped-decorator]
    def perform() -> None:
        run()
