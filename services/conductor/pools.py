"""What a pool is, and the command line that runs it.

The values are read from charts/orders/values.yaml, the same file that the chart renders; a misspelt key or impossible
arithmetic is refused here with its path and its numbers, before anything starts. Pure but for reading that file.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from conductor.errors import PoolsRefused

Broker = Literal["rabbitmq", "valkey"]
Role = Literal["api", "relay", "beat", "worker"]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[int, Field(ge=0)]

RECORDING_MARGIN_SECONDS = 5
"""What a worker needs after its last task's time limit: record the outcome, acknowledge, close connections."""


CLUSTER_KEYS = frozenset(
    {
        "affinity", "autoscaling", "canary", "command", "dnsConfig", "dnsPolicy", "extraArgs", "extraContainers", "extraEnv",
        "extraEnvFrom", "extraInitContainers", "extraVolumeMounts", "extraVolumes", "hostAliases", "image", "lifecycle", "needsSchema",
        "nodeSelector", "podAnnotations", "podDisruptionBudget", "podLabels", "podSecurityContext", "ports", "priorityClassName", "probes",
        "resources", "runtimeClassName", "schedulerName", "securityContext", "sharesQueues", "tolerations", "topologySpreadConstraints",
        "unreachableTolerationSeconds",
        "updateStrategy", "volumeClaimTemplates",
    }
)  # fmt: skip
"""What a pool says for a cluster only; known here so that a misspelt one is refused on a laptop, too."""

CHART_KEYS = frozenset(
    {
        "api",
        "app",
        "broker",
        "caBundle",
        "commonLabels",
        "consumersPaused",
        "cronJobs",
        "existingSecret",
        "extraSecrets",
        "fullnameOverride",
        "host",
        "image",
        "imagePullSecrets",
        "migration",
        "monitoring",
        "nameOverride",
        "networkPolicy",
        "partOf",
        "queues",
        "requiredRoles",
        "runtime",
        "scaler",
        "secretChecksum",
        "serviceAccount",
        "settings",
        "test",
    }
)
"""What a values file says beside its pools; the chart alone reads it."""


class Pool(BaseModel):
    """One pool, defaults merged in. Keys in the file are camelCase and say the unit."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    name: str
    role: Role
    queues: tuple[str, ...] = ()
    concurrency: Annotated[int, Field(ge=1, le=1000)] | None = None
    pool_type: Literal["prefork", "threads", "solo"] = "prefork"
    kind: Literal["Deployment", "StatefulSet"] = "Deployment"
    replicas: Annotated[int, Field(ge=0)]
    prefetch: Annotated[int, Field(ge=1, le=1000)]
    time_limit_seconds: Positive | None = None
    soft_time_limit_seconds: Positive | None = None
    pre_stop_seconds: Seconds
    drain_seconds: Seconds
    grace_seconds: Seconds
    startup_seconds: Positive
    max_tasks_per_child: Positive | None = None
    max_memory_per_child_kib: Positive | None = None

    @property
    def old_first(self) -> bool:
        """Whether the old processes end before new ones start: two clocks would tick twice, and what a name holds has one holder."""
        return self.role == "beat" or self.kind == "StatefulSet"

    def of_shard(self, shard: int) -> "Pool":
        """The same pool for another shard of a store: `NAME-SHARD`, whose queues end in `_SHARD`."""
        queues = tuple(f"{queue}_{shard}" for queue in self.queues)
        return self.model_copy(update={"name": f"{self.name}-{shard}", "queues": queues})

    @model_validator(mode="after")
    def _arithmetic(self) -> Self:
        if self.role == "worker":
            self._worker_arithmetic()
        needed = self.pre_stop_seconds + self.drain_seconds
        if self.grace_seconds < needed:
            raise ValueError(
                f"graceSeconds {self.grace_seconds} is less than preStopSeconds {self.pre_stop_seconds}"
                f" + drainSeconds {self.drain_seconds}"
            )
        if self.role == "beat" and self.replicas > 1:
            raise ValueError(f"replicas {self.replicas}: more than one beat doubles every periodic task")
        return self

    def _worker_arithmetic(self) -> None:
        if not self.queues:
            raise ValueError("queues is missing: a worker consumes what it names, never a default queue")
        if self.concurrency is None:
            raise ValueError("concurrency is missing: the number of cores of the machine is no default")
        if self.pool_type == "solo" and self.concurrency != 1:
            raise ValueError(f"concurrency {self.concurrency} with poolType solo: it runs one task at a time")
        if self.time_limit_seconds is None:
            raise ValueError("timeLimitSeconds is missing: a task without a limit holds its child for ever")
        soft = self.soft_time_limit_seconds
        if soft is None or soft >= self.time_limit_seconds:
            raise ValueError(
                f"softTimeLimitSeconds {soft} must be less than timeLimitSeconds {self.time_limit_seconds}"
            )
        if self.drain_seconds < self.time_limit_seconds + RECORDING_MARGIN_SECONDS:
            raise ValueError(
                f"drainSeconds {self.drain_seconds} is less than timeLimitSeconds {self.time_limit_seconds}"
                f" + {RECORDING_MARGIN_SECONDS} to record the outcome"
            )


def load(values: Path) -> dict[str, Pool]:
    """The pools of a values file by name, in the file's order; PoolsRefused names the path of what is wrong."""
    document = yaml.safe_load(values.read_text())
    return parse(document if isinstance(document, dict) else {})


def parse(document: Mapping[str, Any]) -> dict[str, Pool]:
    """The same from values already read."""
    for key in document:
        if key not in ("defaults", "pools") and key not in CHART_KEYS:
            raise PoolsRefused(f"{key}: unknown key; a values file has defaults and pools")
    defaults = document.get("defaults") or {}
    pools = document.get("pools") or {}
    if not isinstance(pools, dict) or not pools:
        raise PoolsRefused("pools: a map of at least one pool is needed")
    return {name: _pool(name, {**defaults, **(own or {})}) for name, own in pools.items()}


def _pool(name: str, values: dict[str, Any]) -> Pool:
    here = {key: value for key, value in values.items() if key not in CLUSTER_KEYS}
    try:
        return Pool.model_validate({**here, "name": name})
    except ValidationError as error:
        found = error.errors()[0]
        path = ".".join(["pools", name, *(str(part) for part in found["loc"])])
        reason = found["msg"].removeprefix("Value error, ")
        raise PoolsRefused(f"{path}: {reason}") from None


def command(pool: Pool, broker: Broker, *, app: str, hostname: str, schedule: Path | None = None) -> list[str]:
    """The command line of one process of the pool. `app` is the service's module (`orders.app`), `hostname` the
    worker's name, unique in the vhost; `schedule` is where beat keeps its last runs."""
    python = [sys.executable, "-m"]
    if pool.role == "api":
        return [*python, "chassis.serve", app]
    if pool.role == "relay":
        return [*python, "chassis.relay", app]
    if pool.role == "beat":
        return [*python, "celery", "--app", f"{app}:app", "beat", "--schedule", str(schedule), "--loglevel", "INFO"]
    return [*python, "celery", "--app", f"{app}:app", "worker", *_worker_flags(pool, broker, hostname)]


def _worker_flags(pool: Pool, broker: Broker, hostname: str) -> list[str]:
    flags = ["--queues", ",".join(pool.queues)]
    flags += ["--concurrency", str(pool.concurrency), "--pool", pool.pool_type, "--hostname", hostname]
    # Gossip and mingle talk to every other worker and delay readiness by a second; nothing here needs them.
    flags += ["--without-gossip", "--without-mingle", "--prefetch-multiplier", str(pool.prefetch)]
    flags += ["--time-limit", str(pool.time_limit_seconds), "--soft-time-limit", str(pool.soft_time_limit_seconds)]
    if pool.max_tasks_per_child is not None:
        flags += ["--max-tasks-per-child", str(pool.max_tasks_per_child)]
    if pool.max_memory_per_child_kib is not None:
        flags += ["--max-memory-per-child", str(pool.max_memory_per_child_kib)]
    if broker == "valkey":
        # kombu pops before it can know whether a child is free; without this a worker hoards what others could do.
        flags += ["--disable-prefetch"]
    return [*flags, "--loglevel", "INFO"]
