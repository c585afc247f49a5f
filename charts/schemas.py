"""What the values of a chart may be: models that `python charts/schemas.py` writes as charts/*/values.schema.json.

Helm refuses what does not fit, with its path. A pool's own keys are those of `conductor.pools.Pool`, so laptop and cluster take the
same; `settings` is the service's Settings class less what is secret and what the chart itself decides. What one key has to do with
another (grace, drain and time limit) is checked by the chart's templates, in celery-app/templates/_checks.tpl.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

import value_reference
from analytics.settings import Settings as AnalyticsSettings
from chassis.settings import ServiceSettings
from conductor.pools import Pool
from orders.settings import Settings as OrdersSettings
from schema_parts import Plain, documented, is_secret, optional
from trading.settings import Settings as TradingSettings
from value_models import (
    Api,
    CaBundle,
    Canary,
    CronJob,
    Image,
    Labels,
    Migration,
    Monitoring,
    Name,
    NameOrNone,
    NetworkPolicy,
    Placed,
    PoolName,
    PullSecret,
    Scaler,
    ServiceAccount,
    Test,
    Values,
)

CHARTS: dict[str, type[ServiceSettings]] = {
    "analytics": AnalyticsSettings,
    "orders": OrdersSettings,
    "trading": TradingSettings,
}
"""The settings of each chart's service."""

LIBRARY = "celery-app"

RUNTIME_HEAD = """{{- /* What runs an application that knows nothing of the chart. Written by charts/schemas.py from run_celery.py. */}}
{{- define "celery-app.runtime" }}
{{- if eq .Values.runtime "celery" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "celery-app.fullname" . }}-runtime
  labels:
    {{- include "celery-app.whole" (dict "root" . "name" "runtime") | nindent 4 }}
data:
  run_celery.py: |
    {{- include "celery-app.run_celery" . | nindent 4 }}
{{- end }}
{{- end }}

{{- define "celery-app.run_celery" -}}
"""

DECIDED = frozenset(
    {
        "api_tokens_file",
        "consumers_paused",
        "drain_seconds",
        "heartbeat_file",
        "host",
        "linger_seconds",
        "listen_fd",
        "metrics_port",
        "pool",
        "port",
    }
    | {"process_name", "prometheus_multiproc_dir", "service_version", "share_port"}
)
"""Settings that a pod gets from the chart: where its files and ports are, and what follows from its pool."""


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


def values_of(service: type[ServiceSettings] | None) -> type[BaseModel]:
    """All values of a service's chart; of the library itself, which knows no service, any settings."""
    defaults, pool = pools_of()
    pools: Any = Annotated[dict[PoolName, pool], Field(min_length=1 if service else 0)]  # type: ignore[valid-type]
    fields: dict[str, Any] = {
        "runtime": (Literal["chassis", "celery"], "chassis"),
        "app": (Annotated[str, Field(pattern=r"^([A-Za-z_]\w*([.:][A-Za-z_]\w*)*)?$")], ""),
        "fullname_override": (NameOrNone, ""),
        "name_override": (NameOrNone, ""),
        "part_of": (str, ""),
        "common_labels": (Labels, {}),
        "service_account": (ServiceAccount, ServiceAccount()),
        "image": (Image, Image()),
        "image_pull_secrets": (dict[Name, bool] | list[PullSecret], {}),
        "existing_secret": (NameOrNone, ""),
        "extra_secrets": (list[Name], []),
        "secret_checksum": (str, ""),
        "queues": (dict[str, bool], {}),
        "required_roles": (list[Literal["api", "relay", "beat", "worker"]], []),
        "broker": (Literal["rabbitmq", "redis"], "rabbitmq"),
        "host": (Annotated[str, Field(pattern=r"^[0-9A-Fa-f:.]+$")], "0.0.0.0"),
        "settings": (settings_of(service) if service else dict[str, str | int | float | bool], {}),
        "consumers_paused": (bool, False),
        "ca_bundle": (CaBundle, CaBundle()),
        "migration": (Migration, Migration()),
        "test": (Test, Test()),
        "api": (Api, Api()),
        "scaler": (Scaler, Scaler()),
        "network_policy": (NetworkPolicy, NetworkPolicy()),
        "monitoring": (Monitoring, Monitoring()),
        "cron_jobs": (dict[Name, CronJob], {}),
        "defaults": (defaults, {}),
        "pools": (pools, {}),
        # Helm itself adds these two: one key for every chart that a chart depends on, and what all of them share.
        "library": (Annotated[dict[str, Any], Field(alias="celery-app")], {}),
        "shared": (Annotated[dict[str, Any], Field(alias="global")], {}),
    }
    return create_model("ChartValues", __base__=Values, **fields)


def schema_of(chart: str) -> str:
    """The text of the chart's values.schema.json."""
    found = values_of(CHARTS.get(chart)).model_json_schema(by_alias=True, schema_generator=Plain)
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **found}, indent=1, sort_keys=True) + "\n"


def runtime_template() -> str:
    """The template that makes the ConfigMap of run_celery.py: a library chart's files cannot be read by the chart that uses it."""
    script = (Path(__file__).parent / LIBRARY / "run_celery.py").read_text()
    if "{{" in script:
        raise ValueError("run_celery.py holds {{, which a template would read as its own")
    return RUNTIME_HEAD + script + "{{- end }}\n"


def values_page() -> str:
    """The text of the page of the library's values."""
    return value_reference.page((Path(__file__).parent / LIBRARY / "values.yaml").read_text())


def main() -> None:
    """Write every chart's schema, the library's template of what it brings for plain Celery, and the page of its values."""
    (Path(__file__).parent / LIBRARY / "templates" / "_runtime.tpl").write_text(runtime_template())
    (Path(__file__).parent / LIBRARY / "VALUES.md").write_text(values_page())
    for chart in (LIBRARY, *CHARTS):
        (Path(__file__).parent / chart / "values.schema.json").write_text(schema_of(chart))


if __name__ == "__main__":
    main()
