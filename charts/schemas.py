"""What the values of a chart may be: models that `python charts/schemas.py` writes as charts/*/values.schema.json.

Helm refuses what does not fit, with its path. A pool's own keys are those of `conductor.pools.Pool`, so laptop and cluster take the
same; `settings` is the service's Settings class less what is secret and what the chart itself decides. What one key has to do with
another (grace, drain and time limit) is checked by the chart's templates, in celery-app/templates/_checks.tpl.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel

from analytics.settings import Settings as AnalyticsSettings
from chassis.settings import ServiceSettings
from conductor.pools import Pool
from orders.settings import Settings as OrdersSettings
from schema_parts import Plain, documented, is_secret, optional

CHARTS: dict[str, type[ServiceSettings]] = {"analytics": AnalyticsSettings, "orders": OrdersSettings}
"""The settings of each chart's service."""

DECIDED = frozenset(
    {
        "api_tokens_file",
        "consumers_paused",
        "drain_seconds",
        "heartbeat_file",
        "host",
        "linger_seconds",
        "metrics_port",
        "pool",
        "port",
    }
    | {"prometheus_multiproc_dir", "share_port"}
)
"""Settings that a pod gets from the chart: where its files and ports are, and what follows from its pool."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
NameOrNone = Annotated[str, Field(pattern=r"^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$", max_length=253)]
PoolName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*[a-z0-9]$", max_length=53)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|[kMGTP]|[KMGTP]i)?$")] | Annotated[float, Field(gt=0)]
Labels = dict[str, str]
Positive = Annotated[int, Field(ge=1)]


Tag = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(@sha256:[0-9a-f]{64})?$",
        json_schema_extra={"not": {"const": "latest"}},  # Go's regular expressions cannot say it
    ),
]
TagOrNone = Annotated[str, Field(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*(@sha256:[0-9a-f]{64})?)?$")]


class Values(BaseModel):
    """Keys are camelCase, and one that nobody knows is refused. Every key may be left out: the chart's own values have it."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", use_attribute_docstrings=True)


class Image(Values):
    repository: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:/-]*$")] = ""
    """Where the image is, without its tag."""
    tag: Tag = ""
    """A version, with a digest behind an @ or without; `latest` is none."""
    producers_tag: TagOrNone = ""
    """The version of API, relay and beat, when it is not the same."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"


class Amounts(Values):
    cpu: Quantity = ""
    memory: Quantity = ""
    ephemeral_storage: Annotated[Quantity, Field(alias="ephemeral-storage")] = ""


class Resources(Values):
    requests: Amounts = Amounts()
    limits: Amounts = Amounts()


class Autoscaling(Values):
    by: Literal["none", "cpu", "queue"] = "none"
    """none: as many pods as `replicas`; cpu: a HorizontalPodAutoscaler; queue: a ScaledObject of KEDA."""
    min_replicas: Positive = 1
    """Never none at all: the first message after a quiet time would wait for a pod to start."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    cpu_percent: Annotated[int, Field(ge=1, le=100)] = 1
    messages_per_replica: Positive = 1
    wait_seconds: Annotated[int, Field(ge=0)] = 0
    polling_seconds: Positive = 1
    scale_down_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """How long the work must have been less before a pod is taken away; Kubernetes remembers an hour at most."""


class Canary(Values):
    tag: Tag
    """The version that a share of the pool runs."""
    replicas: Annotated[int, Field(ge=0)]
    """How many pods run it, besides those of the pool."""


class Toleration(Values):
    key: str = ""
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
    toleration_seconds: int = 0


class Affinity(Values):
    """As Kubernetes takes it; what is below is checked there."""

    node_affinity: dict[str, Any] = {}
    pod_affinity: dict[str, Any] = {}
    pod_anti_affinity: dict[str, Any] = {}


class Placed(Values):
    """What a pool says for a cluster only."""

    shares_queues: bool = False
    """Whether another pool may consume the same queues; both must say so."""
    kind: Literal["Deployment", "StatefulSet"] = "Deployment"
    resources: Resources = Resources()
    autoscaling: Autoscaling = Autoscaling()
    priority_class_name: NameOrNone = ""
    node_selector: Labels = {}
    tolerations: list[Toleration] = []
    affinity: Affinity = Affinity()


class Peer(Values):
    pod_labels: Labels = {}
    namespace_labels: Labels = {}
    """Of the namespaces that the pods may be in; `{}` is every one, and without the key it is the release's own."""
    cidr: Annotated[str, Field(pattern=r"^[0-9a-f.:]+/[0-9]{1,3}$")] = ""
    """Addresses instead of pods."""


class Egress(Peer):
    port: Annotated[int, Field(ge=1, le=65535)] = 1
    udp: bool = False


class NetworkPolicy(Values):
    enabled: bool = True
    metrics_from: Peer = Peer()
    egress: dict[Name, Egress] = {}


class Migration(Values):
    enabled: bool = True
    deadline_seconds: Positive = 1
    resources: Resources = Resources()


class Ingress(Values):
    host: NameOrNone = ""
    class_name: NameOrNone = ""
    tls_secret: NameOrNone = ""
    annotations: dict[str, str] = {}


class Route(Values):
    gateway: NameOrNone = ""
    gateway_namespace: NameOrNone = ""
    host: NameOrNone = ""


class Api(Values):
    release: NameOrNone = ""
    """The release whose pods answer, when it is not this one."""
    ingress: Ingress = Ingress()
    route: Route = Route()


class CaBundle(Values):
    config_map: NameOrNone = ""
    key: Annotated[str, Field(pattern=r"^[-._A-Za-z0-9]+$")] = ""


class Scaler(Values):
    existing_secret: Name = ""


class Monitoring(Values):
    monitors: bool = False
    labels: Labels = {}
    interval_seconds: Positive = 1


def settings_of(service: type[ServiceSettings]) -> type[BaseModel]:
    """The service's settings as values: in camelCase, none required, none secret."""
    texts = documented(service)
    fields: dict[str, Any] = {
        name: optional(field, texts.get(name))
        for name, field in service.model_fields.items()
        if name not in DECIDED and not is_secret(field)
    }
    return create_model("Settings", __base__=Values, **fields)


def pools_of() -> tuple[type[BaseModel], type[BaseModel]]:
    """What `defaults` may hold, and what a pool may."""
    shared: dict[str, Any] = {
        name: optional(field) for name, field in Pool.model_fields.items() if name not in ("name", "role", "queues")
    }
    defaults = create_model("Defaults", __base__=Placed, **shared)
    role: Any = Pool.model_fields["role"].annotation
    pool = create_model(
        "Pool",
        __base__=defaults,
        role=(role, ...),
        queues=(list[Annotated[str, Field(min_length=1)]], []),
        canary=(Canary, None),
    )
    return defaults, pool


def values_of(service: type[ServiceSettings]) -> type[BaseModel]:
    """All values of a service's chart."""
    defaults, pool = pools_of()
    pools: Any = Annotated[dict[PoolName, pool], Field(min_length=1)]  # type: ignore[valid-type]
    fields: dict[str, Any] = {
        "app": (Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]+)*$")], ""),
        "image": (Image, Image()),
        "image_pull_secrets": (dict[Name, bool], {}),
        "existing_secret": (Name, ""),
        "secret_checksum": (str, ""),
        "queues": (dict[str, bool], {}),
        "required_roles": (list[Literal["api", "relay", "beat", "worker"]], []),
        "broker": (Literal["rabbitmq", "redis"], "rabbitmq"),
        "host": (Annotated[str, Field(pattern=r"^[0-9A-Fa-f:.]+$")], "0.0.0.0"),
        "settings": (settings_of(service), {}),
        "consumers_paused": (bool, False),
        "ca_bundle": (CaBundle, CaBundle()),
        "migration": (Migration, Migration()),
        "api": (Api, Api()),
        "scaler": (Scaler, Scaler()),
        "network_policy": (NetworkPolicy, NetworkPolicy()),
        "monitoring": (Monitoring, Monitoring()),
        "defaults": (defaults, {}),
        "pools": (pools, {}),
        # Helm itself adds these two: one key for every chart that a chart depends on, and what all of them share.
        "library": (Annotated[dict[str, Any], Field(alias="celery-app")], {}),
        "shared": (Annotated[dict[str, Any], Field(alias="global")], {}),
    }
    return create_model("ChartValues", __base__=Values, **fields)


def schema_of(chart: str) -> str:
    """The text of the chart's values.schema.json."""
    found = values_of(CHARTS[chart]).model_json_schema(by_alias=True, schema_generator=Plain)
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **found}, indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Write every chart's schema."""
    for chart in CHARTS:
        (Path(__file__).parent / chart / "values.schema.json").write_text(schema_of(chart))


if __name__ == "__main__":
    main()
