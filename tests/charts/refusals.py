"""Values that must be refused, each by a rule of its own: what they are, and what Helm must say.

IMPOSSIBLE is refused by the templates' arithmetic, and by the laptop runtime where a pool alone shows it, in the same words.
MISSHAPEN is refused by the schema: the path of the key, as Helm 4 writes it, and a word of the reason.
"""

from typing import Any

Case = tuple[dict[str, Any], str]

LONG = "a23456789-b23456789-c23456789-d23456789-e23456"
"""The name of a pool that is too long for a StatefulSet."""


def saga(**own: Any) -> dict[str, Any]:
    """Values in which the saga pool says something more."""
    return {"pools": {"saga": own}}


def nowhere(**values: Any) -> dict[str, Any]:
    """Values that take a key away from the chart and from the library, whose own would count instead."""
    return {**values, "celery-app": values}


IMPOSSIBLE: dict[str, Case] = {
    "grace": (saga(graceSeconds=64), "pools.saga: graceSeconds 64 is less than preStopSeconds 0 + drainSeconds 65"),
    "grace with pre-stop": (
        saga(preStopSeconds=11),
        "pools.saga: graceSeconds 75 is less than preStopSeconds 11 + drainSeconds 65",
    ),
    "drain": (
        saga(drainSeconds=64),
        "pools.saga: drainSeconds 64 is less than timeLimitSeconds 60 + 5 to record the outcome",
    ),
    "soft limit": (
        saga(softTimeLimitSeconds=60),
        "pools.saga: softTimeLimitSeconds 60 must be less than timeLimitSeconds 60",
    ),
    "no queue": (
        saga(queues=[]),
        "pools.saga: queues is missing: a worker consumes what it names, never a default queue",
    ),
    "no concurrency": (
        saga(concurrency=None),
        "pools.saga: concurrency is missing: the number of cores of the machine is no default",
    ),
    "no time limit": (
        nowhere(defaults={"timeLimitSeconds": None}),
        "timeLimitSeconds is missing: a task without a limit holds its child for ever",
    ),
    "solo": (saga(poolType="solo"), "pools.saga: concurrency 2 with poolType solo: it runs one task at a time"),
    "two beats": (
        {"pools": {"beat": {"replicas": 2}}},
        "pools.beat: replicas 2: more than one beat doubles every periodic task",
    ),
    "a canary of beat": (
        {"pools": {"beat": {"canary": {"tag": "next", "replicas": 1}}}},
        "pools.beat: canary: more than one beat doubles every periodic task",
    ),
    "a scaled beat": (
        {"pools": {"beat": {"autoscaling": {"by": "cpu"}}}},
        "pools.beat: autoscaling: more than one beat doubles every periodic task",
    ),
    "visibility timeout": (
        {"broker": "redis", "settings": {"visibilityTimeoutSeconds": 60}},
        "settings.visibilityTimeoutSeconds 60 must be more than timeLimitSeconds 60",
    ),
    "minimum above maximum": (
        saga(autoscaling={"by": "queue", "minReplicas": 6}),
        "pools.saga.autoscaling: minReplicas 6 is more than maxReplicas 2",
    ),
    "queues of an API": (
        {"pools": {"api": {"autoscaling": {"by": "queue"}}}},
        "pools.api.autoscaling: by queue: only a worker has queues",
    ),
    "down faster than the work": (
        saga(autoscaling={"by": "queue", "scaleDownSeconds": 59}),
        "pools.saga.autoscaling: scaleDownSeconds 59 is less than timeLimitSeconds 60",
    ),
    "waiting time with Redis": (
        {"broker": "redis", **saga(autoscaling={"by": "queue", "waitSeconds": 3})},
        "pools.saga.autoscaling: waitSeconds 3: Redis cannot be asked how fast a queue is emptied",
    ),
    "more pods than messages": (
        saga(autoscaling={"by": "queue", "maxReplicas": 3}),
        "pools.saga.autoscaling: maxReplicas 3 needs more than 8 messages in a queue, settings.relayMessages lets 8 be there",
    ),
    "a second beat": (
        {"pools": {"clock": {"role": "beat"}}},
        "pools.clock: a second beat beside pools.beat doubles every periodic task",
    ),
    "no relay": ({"pools": {"relay": None}}, "pools: none has the role relay, which requiredRoles asks for"),
    "every pool scaled, beat as well": (
        {"defaults": {"autoscaling": {"by": "cpu", "scaleDownSeconds": 60}}},
        "pools.beat.autoscaling: by cpu: a beat is never scaled; where defaults.autoscaling says it, the pool says by: none",
    ),
    "a scaled relay": (
        {"pools": {"relay": {"autoscaling": {"by": "cpu"}}}},
        "pools.relay.autoscaling: by cpu: a relay is never scaled",
    ),
    "a queue that nobody consumes": (
        {"pools": {"saga": None}},
        'queues: "orders.saga" is consumed by no pool: its messages would wait for ever',
    ),
    "a queue that nothing is sent to": (
        saga(queues=["orders.saga", "orders.sgaa"]),
        'pools.saga.queues: "orders.sgaa" is not in queues: nothing is ever sent to it',
    ),
    "two queues in one": (
        saga(queues=["orders.saga,orders.payments"]),
        'pools.saga.queues: "orders.saga,orders.payments" holds a comma: write one item for each queue',
    ),
    "a queue of two pools": (
        saga(queues=["orders.saga", "orders.payments"], sharesQueues=True),
        'pools.saga.queues: "orders.payments" is consumed by pools.payments as well; where that is meant, both say sharesQueues: true',
    ),
    "a password in a setting": (
        {"settings": {"paymentsUrl": "http://me:secret@payments:9101"}},
        "settings.paymentsUrl: holds a password; put PAYMENTS_URL into the secret orders instead",
    ),
    "a URL that is none": (
        {"settings": {"carrierUrl": "carrier:9102"}},
        'settings.carrierUrl: "carrier:9102" is no URL: it takes SCHEME://HOST[:PORT][/PATH]',
    ),
    "an endpoint that is none": (
        {"settings": {"otelExporterOtlpEndpoint": "collector"}},
        'settings.otelExporterOtlpEndpoint: "collector" is no URL',
    ),
    "out to everybody": (
        {"networkPolicy": {"egress": {"anything": {"port": 443}}}},
        "networkPolicy.egress.anything: neither podLabels nor cidr: it would open to everybody",
    ),
    "metrics for everybody": (
        nowhere(networkPolicy={"metricsFrom": {"podLabels": {"app.kubernetes.io/name": None}}}),
        "networkPolicy.metricsFrom: neither podLabels nor cidr: it would open to everybody",
    ),
    "a map that is null": (
        nowhere(api={"ingress": None}),
        "api.ingress: null: it must be a map; leave the key out to keep what the chart says",
    ),
    "all defaults null": (nowhere(defaults=None), "defaults: null: it must be a map"),
    "a name too long": (
        {"pools": {LONG: {"role": "relay", "drainSeconds": 5}}, "defaults": {"kind": "StatefulSet"}},
        f'pools.{LONG}: "orders-{LONG}" has 53 letters, Kubernetes takes 52: shorten the name of the pool or of the release',
    ),
    "a name too long for the autoscaler's object": (
        {"pools": {f"{LONG}-4": {"role": "api", "drainSeconds": 5, "autoscaling": {"by": "queue"}}}},
        f'pools.{LONG}-4: "orders-{LONG}-4" has 55 letters, Kubernetes takes 54',
    ),
    "a name too long with its canary": (
        {"pools": {f"{LONG}-456": {"role": "api", "drainSeconds": 5, "canary": {"tag": "next", "replicas": 1}}}},
        f'pools.{LONG}-456: "orders-{LONG}-456-canary" has 64 letters',
    ),
    "a pool called like a canary": (
        {"pools": {"saga-canary": {"role": "worker", "queues": ["orders.saga"], "concurrency": 1}}},
        "pools.saga-canary: pools.saga makes objects of the same name with -canary",
    ),
    "a pool called like the pods of another": (
        {"pools": {"saga-pods": {"role": "worker", "queues": ["orders.saga"], "concurrency": 1}}},
        "pools.saga-pods: pools.saga makes objects of the same name with -pods",
    ),
    "a pool called like the migration": (
        {"pools": {"migrate": {"role": "worker", "queues": ["orders.saga"], "concurrency": 1}}},
        "pools.migrate: the migration has this name: its pods would count as the pool's",
    ),
    "a pool called like another release's": (
        {"pools": {"green-api": {"role": "api", "drainSeconds": 5}}},
        "pools.green-api: a release orders-green would have an object of the same name",
    ),
    "memory asked for above what is allowed": (
        saga(resources={"requests": {"memory": "0.6Gi"}}),
        "pools.saga.resources: requests.memory 0.6Gi is more than limits.memory 512Mi",
    ),
    "CPU asked for above what is allowed": (
        saga(resources={"requests": {"cpu": 1}, "limits": {"cpu": "900m"}}),
        "pools.saga.resources: requests.cpu 1 is more than limits.cpu 900m",
    ),
    "disk asked for above what is allowed": (
        saga(resources={"requests": {"ephemeral-storage": "2G"}, "limits": {"ephemeral-storage": "1Gi"}}),
        "pools.saga.resources: requests.ephemeral-storage 2G is more than limits.ephemeral-storage 1Gi",
    ),
    "less disk than a volume of the pod": (
        saga(resources={"limits": {"ephemeral-storage": "200Mi"}}),
        "pools.saga.resources: limits.ephemeral-storage 200Mi is less than the 256Mi that /tmp may hold",
    ),
    "disk in bytes": (
        saga(resources={"limits": {"ephemeral-storage": 384}}),
        "pools.saga.resources: limits.ephemeral-storage 384 is less than the 256Mi that /tmp may hold: the pod is evicted before a write"
        " fails; a number without a unit is bytes",
    ),
    "memory in bytes": (
        saga(resources={"requests": {"memory": 256}}),
        "pools.saga.resources: requests.memory 256 is less than 16Mi, in which no interpreter starts; a number without a unit is bytes",
    ),
    "a limit in bytes": (
        saga(resources={"limits": {"memory": "512k"}}),
        "pools.saga.resources: limits.memory 512k is less than 16Mi",
    ),
    "scaled by a share of nothing": (
        {**nowhere(defaults={"resources": {"requests": {"cpu": None}}}), **saga(autoscaling={"by": "cpu"})},
        "pools.saga.autoscaling: by cpu: resources.requests.cpu is missing, of which cpuPercent is a share",
    ),
    "children without memory": (
        saga(concurrency=64),
        "pools.saga: concurrency 64 with limits.memory 512Mi leaves each less than 16Mi",
    ),
    "children that outgrow the pod": (
        saga(maxMemoryPerChildKib=300_000),
        "pools.saga: concurrency 2 times maxMemoryPerChildKib 300000 is more than limits.memory 512Mi",
    ),
    "scaled to nothing": (
        saga(autoscaling={"by": "queue", "minReplicas": 0}),
        "pools.saga.autoscaling: minReplicas 0: only by queue, and where the pool says mayScaleToZero: true",
    ),
    "scaled to nothing by CPU": (
        saga(autoscaling={"by": "cpu", "minReplicas": 0, "mayScaleToZero": True}),
        "pools.saga.autoscaling: minReplicas 0: only by queue",
    ),
    "requests from everybody": (
        {"networkPolicy": {"apiFrom": [{"cidr": "10.0.0.0/8"}, {"namespaceLabels": {"a": "b"}}]}},
        "networkPolicy.apiFrom.1: neither podLabels nor cidr: it would open to everybody",
    ),
    "plain Celery without a server": (
        {"runtime": "celery"},
        "pools.api: command is missing: with runtime celery the chart knows none of the role api",
    ),
    "plain Celery that stands by": (
        {"runtime": "celery", "consumersPaused": True},
        "consumersPaused: true with runtime celery: only workers of the chassis stand by",
    ),
    "no image": (nowhere(image={"tag": None}), "image.tag is missing"),
    "a start that cannot be": (
        saga(startupSeconds=9),
        "pools.saga: startupSeconds 9 is less than 10: a process that starts on a busy node would be killed for ever",
    ),
}

CLUSTER_ONLY = ("a canary of beat", "a scaled beat", "visibility timeout", "minimum above maximum", "queues of an API")
CLUSTER_ONLY += ("down faster than the work", "waiting time with Redis", "more pods than messages")
CLUSTER_ONLY += tuple(IMPOSSIBLE)[list(IMPOSSIBLE).index("a second beat") :]
"""What says something of a cluster or of the whole file, so the laptop runtime does not look at it."""

MISSHAPEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown top key": ({"pool": {}}, "", "'pool'"),
    "unknown key of a pool": (saga(concurency=3), "/pools/saga", "'concurency'"),
    "unknown key of the defaults": ({"defaults": {"grace": 3}}, "/defaults", "'grace'"),
    "unknown setting": ({"settings": {"mailFro": "x"}}, "/settings", "'mailFro'"),
    "a secret among the settings": ({"settings": {"apiTokens": "x"}}, "/settings", "'apiTokens'"),
    "what the chart decides": ({"settings": {"metricsPort": 1}}, "/settings", "'metricsPort'"),
    "a setting of the wrong type": ({"settings": {"apiThreads": "many"}}, "/settings/apiThreads", "want integer"),
    "a setting below its least": ({"settings": {"apiThreads": 0}}, "/settings/apiThreads", "minimum"),
    "a setting above its most": (
        {"settings": {"outsideTimeoutSeconds": 31}},
        "/settings/outsideTimeoutSeconds",
        "maximum",
    ),
    "a setting that is not positive": (
        {"settings": {"retentionDays": 0}},
        "/settings/retentionDays",
        "exclusiveMinimum",
    ),
    "a setting of none of its words": ({"settings": {"logLevel": "LOUD"}}, "/settings/logLevel", "must be one of"),
    "a role that is none": (saga(role="cron"), "/pools/saga/role", "must be one of"),
    "a pool without a role": ({"pools": {"extra": {"queues": ["orders.extra"]}}}, "/pools/extra", "'role'"),
    "a pool type that is none": (saga(poolType="gevent"), "/pools/saga/poolType", "must be one of"),
    "a kind that is none": (saga(kind="DaemonSet"), "/pools/saga/kind", "must be one of"),
    "no pools": (
        {"pools": dict.fromkeys(["api", "relay", "beat", "saga", "payments", "fulfilment", "notifications"])},
        "/pools",
        "minProperties",
    ),
    "a pool's name that is no name": ({"pools": {"Saga_2": {"role": "relay"}}}, "/pools", "'Saga_2'"),
    "a queue without a name": (saga(queues=[""]), "/pools/saga/queues/0", "minLength"),
    "queues that are no list": (saga(queues="orders.saga"), "/pools/saga/queues", "want array"),
    "a quantity that is none": (
        saga(resources={"requests": {"cpu": "much"}}),
        "/pools/saga/resources/requests/cpu",
        "pattern",
    ),
    "a resource that is none": (saga(resources={"limits": {"disk": "1Gi"}}), "/pools/saga/resources/limits", "'disk'"),
    "less than no seconds": (saga(drainSeconds=-1), "/pools/saga/drainSeconds", "minimum"),
    "half a process": (saga(concurrency=1.5), "/pools/saga/concurrency", "want integer"),
    "scaled to less than nothing": (
        saga(autoscaling={"minReplicas": -1}),
        "/pools/saga/autoscaling/minReplicas",
        "minimum",
    ),
    "more pods than a cluster has": (
        saga(autoscaling={"maxReplicas": 1001}),
        "/pools/saga/autoscaling/maxReplicas",
        "maximum",
    ),
    "more children than a machine has": (saga(concurrency=1001), "/pools/saga/concurrency", "maximum"),
    "more messages than a child can hold": (saga(prefetch=1001), "/pools/saga/prefetch", "maximum"),
    "a required role that is none": ({"requiredRoles": ["cron"]}, "/requiredRoles/0", "must be one of"),
    "longer than Kubernetes remembers": (
        saga(autoscaling={"scaleDownSeconds": 3601}),
        "/pools/saga/autoscaling/scaleDownSeconds",
        "maximum",
    ),
    "waiting for less than nothing": (
        saga(autoscaling={"waitSeconds": -1}),
        "/pools/saga/autoscaling/waitSeconds",
        "minimum",
    ),
    "scaled by what cannot be asked": (
        saga(autoscaling={"by": "rate"}),
        "/pools/saga/autoscaling/by",
        "must be one of",
    ),
    "a canary without a tag": (saga(canary={"replicas": 1}), "/pools/saga/canary", "'tag'"),
    "the tag latest": ({"image": {"tag": "latest"}}, "/image/tag", "not"),
    "a tag that is none": ({"image": {"tag": "a b"}}, "/image/tag", "pattern"),
    "a pull policy that is none": ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy", "must be one of"),
    "neither paused nor not": ({"consumersPaused": "maybe"}, "/consumersPaused", "want boolean"),
    "a broker that is none": ({"broker": "kafka"}, "/broker", "must be one of"),
    "a secret that cannot be": ({"existingSecret": "Orders!"}, "/existingSecret", "pattern"),
    "a port that is none": (
        {"networkPolicy": {"egress": {"mail": {"port": 70000}}}},
        "/networkPolicy/egress/mail/port",
        "maximum",
    ),
    "an address that is none": (
        {"networkPolicy": {"egress": {"mail": {"cidr": "mail.example"}}}},
        "/networkPolicy/egress/mail/cidr",
        "pattern",
    ),
    "an unknown key of the network": ({"networkPolicy": {"ingres": {}}}, "/networkPolicy", "'ingres'"),
    "an unknown key of the API": ({"api": {"host": "x"}}, "/api", "'host'"),
    "a host that is none": ({"api": {"ingress": {"host": "http://x"}}}, "/api/ingress/host", "pattern"),
    "a label of series that is none": (
        {"monitoring": {"applicationLabel": "app-name"}},
        "/monitoring/applicationLabel",
        "pattern",
    ),
    "a toleration that is none": (saga(tolerations=[{"effekt": "x"}]), "/pools/saga/tolerations/0", "'effekt'"),
    "an affinity that is none": (saga(affinity={"near": {}}), "/pools/saga/affinity", "'near'"),
    "a label that is no text": (saga(nodeSelector={"gpu": True}), "/pools/saga/nodeSelector/gpu", "want string"),
}
