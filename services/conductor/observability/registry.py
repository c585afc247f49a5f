"""observability/registry.yaml: every metric, alert and service level of all capstones, as one document. Pure but for reading it.

A metric's labels have closed sets of values: a list, or the name of one under `values`. `[any]` is for what is not ours to close, such as a
version. Spans and log fields are in the same file; who makes and checks them reads them.
"""

import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from conductor.run_directory import CHECKOUT

FILE = CHECKOUT / "observability" / "registry.yaml"

Severity = Literal["page", "ticket", "watchdog"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Metric(_Entry):
    """One metric. `source` are the kinds of process that show it; `seen` is the condition under which a healthy platform has it."""

    type: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    labels: dict[str, list[str] | str] = {}
    source: list[str]
    seen: str = "always"


class Slo(_Entry):
    """A promise: the share of good events in a window. `errors` is the ratio of bad ones, in PromQL, with `{window}` for the window."""

    capstone: str
    objective: float
    promise: str
    errors: str


class Alert(_Entry):
    """A rule. `{60s}` in `expr` and `lasting` is a time that drills divide, `{60}` the same as a number of seconds."""

    expr: str
    lasting: str = "{0s}"
    severity: Severity
    summary: str
    next: str = ""
    """The command to type first, behind `capstone`."""


class Registry(_Entry):
    """The document. `values` are the named sets of label values."""

    values: dict[str, list[str]]
    metrics: dict[str, Metric]
    slos: dict[str, Slo]
    alerts: dict[str, Alert]
    only_in_faults: dict[str, str] = {}
    """What panels and rules ask for, a metric or a selector, and a healthy platform does not show, with the reason."""
    for_moments: dict[str, str] = {}
    """The same of what a healthy platform may show."""
    not_on_laptops: dict[str, str] = {}
    """The same of what no platform of a laptop shows."""
    spans: dict[str, Any] = {}
    resource: list[str] = []
    """What the resource of every span names."""
    log_fields: dict[str, Any] = {}
    log_events: dict[str, str] = {}
    """Lines that say that something went otherwise than it should."""

    def allowed(self, metric: str, label: str) -> list[str]:
        """The values that this label of a metric may have; `["any"]` for all. KeyError for a label that it has not."""
        told = self.metrics[metric].labels[label]
        return self.values[told] if isinstance(told, str) else told


SUFFIX = re.compile(r"_(bucket|count|sum)$")
_METRIC = re.compile(r"(?<![\w:.$])[a-z][a-z0-9_]*_[a-z0-9_]+(?=[{\[)\s]|$)|(?<!\w)up(?=[{)\s=])")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")


def metrics_of(query: str) -> set[str]:
    """The metrics that a query in PromQL asks for, histograms by their name; the ratios of service levels, and ALERTS, are none."""
    bare = _GROUPING.sub("", re.sub(r'"[^"]*"', "", query))
    return {SUFFIX.sub("", name) for name in _METRIC.findall(bare)}


def load(file: Path = FILE) -> Registry:
    """The registry. Raises pydantic.ValidationError naming what is wrong."""
    return Registry.model_validate(yaml.safe_load(file.read_text()))


def runbook(alert: str) -> str:
    """The name of an alert's runbook in docs/runbooks: `QueueStalled` is in `queue-stalled.md`, `OOMKilled` in `oom-killed.md`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", alert).lower() + ".md"
