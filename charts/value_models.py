"""Models of what stands in the values of a chart; schemas.py puts them together."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
NameOrNone = Annotated[str, Field(pattern=r"^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$", max_length=253)]
Host = Annotated[str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", max_length=253)]
PoolName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*[a-z0-9]$", max_length=53)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|[kMGTP]|[KMGTP]i)?$")] | Annotated[float, Field(gt=0)]
Labels = dict[str, str]
AsKubernetes = dict[str, Any]
"""As Kubernetes takes it; what is below is checked there."""
Positive = Annotated[int, Field(ge=1)]


Tag = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(@sha256:[0-9a-f]{64})?$",
        json_schema_extra={"not": {"const": "latest"}},  # Go's regular expressions cannot say it
    ),
]
TagOrNone = Annotated[
    str,
    Field(
        pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*(@sha256:[0-9a-f]{64})?)?$",
        json_schema_extra={"not": {"const": "latest"}},
    ),
]


class Values(BaseModel):
    """Keys are camelCase, and one that nobody knows is refused. Every key may be left out: the chart's own values have it."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", use_attribute_docstrings=True)


class Image(Values):
    repository: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._:/-]*)?$")] = ""
    """Where the image is, without its tag."""
    tag: TagOrNone = ""
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
    min_replicas: Annotated[int, Field(ge=0)] = 1
    may_scale_to_zero: bool = False
    """Whether `minReplicas` may be 0; the first message after a quiet time then waits for a pod to start."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    cpu_percent: Annotated[int, Field(ge=1, le=100)] = 1
    memory_percent: Annotated[int, Field(ge=0, le=100)] = 0
    metrics: list[AsKubernetes] = []
    """More metrics of a HorizontalPodAutoscaler."""
    triggers: list[AsKubernetes] = []
    """More triggers of KEDA."""
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
    """The three kinds of it."""

    node_affinity: AsKubernetes = {}
    pod_affinity: AsKubernetes = {}
    pod_anti_affinity: AsKubernetes = {}


class DisruptionBudget(Values):
    enabled: bool = True
    max_unavailable: Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=r"^[0-9]{1,3}%$")] = 1


class PoolImage(Values):
    repository: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:/-]*$")] = ""
    tag: Tag = ""


class Probes(Values):
    startup: AsKubernetes = {}
    readiness: AsKubernetes = {}
    liveness: AsKubernetes = {}


class Peer(Values):
    pod_labels: Labels = {}
    namespace_labels: Labels = {}
    """Of the namespaces that the pods may be in; `{}` is every one, and without the key it is the release's own."""
    cidr: Annotated[str, Field(pattern=r"^[0-9a-f.:]+/[0-9]{1,3}$")] = ""
    """Addresses instead of pods."""


class PoolPort(Values):
    port: Annotated[int, Field(ge=1024, le=65535)]
    clients: list[Peer] = []
    """Who may connect besides the release's own pods."""


class Placed(Values):
    """What a pool says for a cluster only."""

    shares_queues: bool = False
    """Whether another pool may consume the same queues; both must say so."""
    needs_schema: bool = True
    """Whether a pod waits, before it starts, until the schema is up to date. Without it a pod also starts while the database is away."""
    resources: Resources = Resources()
    autoscaling: Autoscaling = Autoscaling()
    priority_class_name: NameOrNone = ""
    node_selector: Labels = {}
    tolerations: list[Toleration] = []
    unreachable_toleration_seconds: Annotated[int, Field(ge=0)] = 20
    affinity: Affinity = Affinity()
    topology_spread_constraints: list[AsKubernetes] = []
    runtime_class_name: NameOrNone = ""
    scheduler_name: NameOrNone = ""
    host_aliases: list[AsKubernetes] = []
    dns_policy: Literal["", "ClusterFirst", "Default", "None"] = ""
    dns_config: AsKubernetes = {}
    image: PoolImage = PoolImage()
    """The pool's own image, in place of that of all pools."""
    command: list[str] = []
    """In place of the command line that follows from the role."""
    extra_args: list[str] = []
    """More words at the end of a worker's command line."""
    update_strategy: AsKubernetes = {}
    pod_disruption_budget: DisruptionBudget = DisruptionBudget()
    pod_labels: Labels = {}
    pod_annotations: dict[str, str] = {}
    extra_env: list[AsKubernetes] = []
    extra_env_from: list[AsKubernetes] = []
    extra_volumes: list[AsKubernetes] = []
    extra_volume_mounts: list[AsKubernetes] = []
    extra_init_containers: list[AsKubernetes] = []
    extra_containers: list[AsKubernetes] = []
    volume_claim_templates: list[AsKubernetes] = []
    ports: dict[Name, PoolPort] = {}
    """TCP ports that a worker's pods listen on besides that of probes and metrics; a Service has the pool's name."""
    probes: Probes = Probes()
    """Over what the chart says, key by key."""
    security_context: AsKubernetes = {}
    pod_security_context: AsKubernetes = {}
    lifecycle: AsKubernetes = {}
    """In place of what the chart says."""


class Egress(Peer):
    port: Annotated[int, Field(ge=1, le=65535)] = 1
    udp: bool = False


class NetworkPolicy(Values):
    enabled: bool = True
    metrics_from: Peer = Peer()
    api_from: list[Peer] = []
    """Who may send requests to the API; nobody named is everybody."""
    egress: dict[Name, Egress] = {}


class Migration(Values):
    enabled: bool = True
    command: list[str] = []
    """In place of the chassis' own."""
    deadline_seconds: Positive = 1
    resources: Resources = Resources()


class Test(Values):
    """What `helm test` runs."""

    command: list[str] = []
    image: PoolImage = PoolImage()
    existing_secret: NameOrNone = ""
    pod_labels: Labels = {}
    deadline_seconds: Positive = 1
    resources: Resources = Resources()


class Ingress(Values):
    host: NameOrNone = ""
    class_name: NameOrNone = ""
    tls_secret: NameOrNone = ""
    annotations: dict[str, str] = {}
    extra_hosts: list[Host] = []
    paths: Annotated[list[Annotated[str, Field(pattern=r"^/")]], Field(min_length=1)] = []


class Route(Values):
    gateway: NameOrNone = ""
    gateway_namespace: NameOrNone = ""
    host: NameOrNone = ""
    extra_hosts: list[Host] = []


class ApiService(Values):
    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    annotations: dict[str, str] = {}


class Api(Values):
    release: NameOrNone = ""
    """The release whose pods answer, when it is not this one."""
    ingress: Ingress = Ingress()
    route: Route = Route()
    service: ApiService = ApiService()


class PullSecret(Values):
    name: Name


class ServiceAccount(Values):
    create: bool = True
    name: NameOrNone = ""
    annotations: dict[str, str] = {}


class CaBundle(Values):
    config_map: NameOrNone = ""
    key: Annotated[str, Field(pattern=r"^[-._A-Za-z0-9]+$")] = ""


class Scaler(Values):
    existing_secret: NameOrNone = ""


class Monitoring(Values):
    monitors: bool = False
    labels: Labels = {}
    interval_seconds: Positive = 1
    application_label: Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")] = "application"
    rules: list[AsKubernetes] = []
    """Groups of a PrometheusRule."""
    dashboards: dict[Name, str] = {}
    """Each the text of a dashboard's JSON."""


class CronJob(Values):
    """A command of the image at fixed times."""

    schedule: Annotated[str, Field(pattern=r"^(@[a-z]+|\S+( \S+){4})$")]
    command: Annotated[list[str], Field(min_length=1)]
    time_zone: str = ""
    deadline_seconds: Positive = 1
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    resources: Resources = Resources()
