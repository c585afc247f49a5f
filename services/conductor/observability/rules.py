"""Prometheus' rules, made of the registry: `python -m conductor.observability.rules` writes observability/rules/rules.yaml anew.

A service level alerts by how fast it uses up its budget, over a long and a short window at once, so that it fires soon and ends soon
(Google, The Site Reliability Workbook, ch. 5). A drill divides every time by one number; what a service level promises stays as it is.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from conductor.observability.registry import Alert, Registry, Slo, load, runbook
from conductor.run_directory import CHECKOUT

FILE = CHECKOUT / "observability" / "rules" / "rules.yaml"

HOUR = 3600

BURNS: tuple[tuple[str, float, int, int], ...] = (
    ("page", 14.4, HOUR, 300),
    ("page", 6.0, 6 * HOUR, 1800),
    ("ticket", 1.0, 72 * HOUR, 6 * HOUR),
)
"""Severity, times as fast as the budget lasts for 30 days, long and short window (s)."""

_TIME = re.compile(r"\{(\d+)(s?)\}")


def duration(seconds: float) -> str:
    """As Prometheus reads it; whole milliseconds, at least one unless it is nothing."""
    whole = round(seconds)
    return f"{whole}s" if whole == seconds else f"{max(1, round(seconds * 1000))}ms"


def timed(text: str, divide: float) -> str:
    """The text with its times, divided."""

    def one(found: re.Match[str]) -> str:
        seconds = int(found[1]) / divide
        return duration(seconds) if found[2] else f"{seconds:g}"

    return _TIME.sub(one, text)


def document(registry: Registry, divide: float = 1) -> dict[str, Any]:
    """The rules. `divide` makes all windows and waits shorter, for a drill that has no hours."""
    groups = [
        {"name": "service-levels", "rules": [*_ratios(registry, divide), *_burns(registry, divide)]},
        {"name": "symptoms", "rules": [_alert(name, one, divide) for name, one in registry.alerts.items()]},
    ]
    return {"groups": groups}


def _ratios(registry: Registry, divide: float) -> Iterator[dict[str, Any]]:
    windows = sorted({window for _, _, long, short in BURNS for window in (long, short)})
    for name, slo in registry.slos.items():
        for window in windows:
            yield {
                "record": _ratio(window),
                "expr": slo.errors.replace("{window}", duration(window / divide)).strip(),
                "labels": {"slo": name, "capstone": slo.capstone},
            }


def _ratio(window: int) -> str:
    """The name of the series with the ratio of errors; its window is the undivided one."""
    return f"slo:error_ratio:{window}s"


def _burns(registry: Registry, divide: float) -> Iterator[dict[str, Any]]:
    for severity in ("page", "ticket"):
        for name, slo in registry.slos.items():
            yield _burn(name, slo, severity)


def _burn(name: str, slo: Slo, severity: str) -> dict[str, Any]:
    budget = 1 - slo.objective
    conditions = [
        f'(slo:error_ratio:{long}s{{slo="{name}"}} > {times * budget:g}'
        f' and slo:error_ratio:{short}s{{slo="{name}"}} > {times * budget:g})'
        for level, times, long, short in BURNS
        if level == severity
    ]
    alert = Alert(
        expr="\nor\n".join(conditions),
        severity="page" if severity == "page" else "ticket",
        summary=f"{slo.capstone} breaks its promise: {slo.promise}",
        next="status",
    )
    rule = _alert("ErrorBudgetBurn", alert, 1)
    return {**rule, "labels": {**rule["labels"], "slo": name}}


def _alert(name: str, alert: Alert, divide: float) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": timed(alert.expr, divide).strip(),
        "for": timed(alert.lasting, divide),
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "runbook": f"docs/runbooks/{runbook(name)}",
            **({"next": alert.next} if alert.next else {}),
        },
    }


def text(divide: float = 1, registry: Registry | None = None) -> str:
    """The rules as a file of Prometheus."""
    made = yaml.safe_dump(document(registry or load(), divide), sort_keys=False, width=160, allow_unicode=True)
    return f"# Made by `make rules` from observability/registry.yaml.\n{made}"


def main(file: Path = FILE) -> None:
    """Write the file that is checked in."""
    file.write_text(text())


if __name__ == "__main__":
    main()
