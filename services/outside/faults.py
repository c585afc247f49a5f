"""Faults by rate and outages: which call goes wrong, and how. Time is an argument; nothing here waits or sends.

A plan gives each fault a share of the calls; one draw decides a call, so shares add up and at most one fault happens.
Draws come from `random.Random(seed)`: the same plan meets the same sequence of calls with the same faults. A plan and
an outage end by themselves and live in memory only: a restarted server is a healthy one.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Plan(BaseModel):
    """What an operator or a drill asks for: PUT /admin/faults."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    rate: dict[str, Share]
    """Fault → share of the calls it hits, 0 to 1; they add up to 1 at most, since a call has one fault at most."""

    slow_seconds: float = Field(default=2.0, ge=0.0, le=600.0)
    """How long a `slow` call waits before it is served."""

    hang_seconds: float = Field(default=10.0, ge=0.0, le=600.0)
    """How long a call that times out is held: longer than any client waits."""

    seed: int = 1
    """Of the draws; the same seed gives the same sequence."""

    expires_in_seconds: float = Field(default=60.0, gt=0.0, le=86_400.0)
    """When the plan ends by itself, so that a forgotten one does no harm."""

    orders: list[str] | None = None
    """Only calls for these orders are hit; null means all. A call that names no order is then never hit."""

    @model_validator(mode="after")
    def _is_a_share_of_one(self) -> "Plan":
        total = math.fsum(self.rate.values())
        if total > 1.0 + 1e-9:
            raise ValueError(f"the shares add up to {total:g}, which is more than every call")
        return self


class OutagePlan(BaseModel):
    """What POST /admin/outage asks for."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    seconds: float = Field(gt=0.0, le=86_400.0)
    """How long every call fails."""

    mode: Literal["refuse", "hang"] = "refuse"
    """`refuse` answers 503 (mail: 421) at once; `hang` first holds a call for `hang_seconds`, or to the outage's end."""

    hang_seconds: float = Field(default=10.0, ge=0.0, le=600.0)
    """How long a call is held in mode `hang`."""

    retry_after_seconds: int | None = Field(default=None, ge=0)
    """Sent as Retry-After when given; most outages do not know."""


class Faults:
    """The faults of one server, which knows the names in `known`; `clock` gives seconds that never go back."""

    def __init__(self, known: Collection[str], clock: Callable[[], float]) -> None:
        self.known = frozenset(known)
        self._clock = clock
        self._plan: Plan | None = None
        self._plan_ends = 0.0
        self._orders: frozenset[str] | None = None
        self._random = random.Random(0)
        self._outage: OutagePlan | None = None
        self._outage_ends = 0.0
        self._hits: Counter[str] = Counter()

    def start(self, plan: Plan) -> None:
        """Put a plan in the place of the current one, from now on."""
        self._plan = plan
        self._plan_ends = self._clock() + plan.expires_in_seconds
        self._orders = None if plan.orders is None else frozenset(plan.orders)
        self._random = random.Random(plan.seed)
        self._hits = Counter()

    def stop(self) -> None:
        """End the plan; what it hit can still be read."""
        self._plan = None

    def start_outage(self, outage: OutagePlan) -> None:
        """Begin an outage, in the place of a current one."""
        self._outage = outage
        self._outage_ends = self._clock() + outage.seconds

    def stop_outage(self) -> None:
        """End the outage."""
        self._outage = None

    @property
    def plan(self) -> Plan | None:
        """The plan in force."""
        if self._plan is not None and self._clock() >= self._plan_ends:
            self._plan = None
        return self._plan

    @property
    def outage(self) -> OutagePlan | None:
        """The outage in force."""
        if self._outage is not None and self._clock() >= self._outage_ends:
            self._outage = None
        return self._outage

    @property
    def outage_left_seconds(self) -> float:
        """How long the outage in force still lasts; 0 without one."""
        return 0.0 if self.outage is None else max(0.0, self._outage_ends - self._clock())

    def draw(self, eligible: Collection[str], order_id: str | None) -> str | None:
        """The fault that hits this call, out of those that it can have, or None."""
        plan = self.plan
        if plan is None or (self._orders is not None and order_id not in self._orders):
            return None
        point = self._random.random()
        for name, share in plan.rate.items():
            if name in eligible:
                if point < share:
                    self._hits[name] += 1
                    return name
                point -= share
        return None

    @property
    def rng(self) -> random.Random:
        """For whatever else a fault leaves to chance: the same plan decides it the same way."""
        return self._random

    def report(self) -> dict[str, Any]:
        """What is in force, how long it still lasts, and what the last plan has hit so far."""
        plan, outage = self.plan, self.outage
        return {
            "plan": None if plan is None else plan.model_dump(),
            "ends_in_seconds": 0.0 if plan is None else round(self._plan_ends - self._clock(), 3),
            "hits": dict(self._hits),
            "outage": None if outage is None else outage.model_dump(),
            "outage_ends_in_seconds": round(self.outage_left_seconds, 3),
        }
