"""Compares what processes show with what the registry says. Pure."""

from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from conductor.observability.registry import Registry

ANY = "any"

LIBRARY = ("python_", "process_")
"""What prometheus_client shows of every Python process by itself."""


def shown(text: str) -> dict[str, list[dict[str, str]]]:
    """By metric, the labels of each series in Prometheus' text format; a histogram is one metric."""
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith(LIBRARY):
            continue
        for sample in family.samples:
            if sample.name.endswith("_created"):
                continue
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found.setdefault(name, []).append({key: value for key, value in sample.labels.items() if key != "le"})
    return found


def undeclared(registry: Registry, texts: Iterable[str]) -> list[str]:
    """What is shown, and is not in the registry: a metric, a label, or a value that its label may not have. Sorted, each once."""
    wrong = set()
    for text in texts:
        for name, series in shown(text).items():
            metric = registry.metrics.get(name)
            if metric is None:
                wrong.add(name)
                continue
            for labels in series:
                if labels.keys() != metric.labels.keys():
                    wrong.add(f"{name}: labels {', '.join(sorted(labels))}")
                    continue
                for label, value in labels.items():
                    allowed = registry.allowed(name, label)
                    if allowed != [ANY] and value not in allowed:
                        wrong.add(f'{name}: {label}="{value}"')
    return sorted(wrong)
