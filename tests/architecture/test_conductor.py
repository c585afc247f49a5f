"""What the conductor knows about one capstone lies in that capstone's folder, and nowhere else."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from conductor import capstones, drills
from conductor.harness.drill import catalogue
from orders.adapters.tables import metadata
from orders.domain.saga import State, Step
from orders.queues import QUEUES

ROOT = Path(__file__).resolve().parents[2]
CONDUCTOR = ROOT / "services" / "conductor"
CHARTS = {
    path.name: yaml.safe_load((path / "values.yaml").read_text())
    for path in sorted((ROOT / "charts").iterdir())
    if (path / "templates" / "app.yaml").exists()
}

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
STRANGERS = "capstone plug-ins are strangers"

SERVERS = {"payments", "carrier", "mail", "smtp"}
POOLS = {name for name, pool in CHARTS["orders"]["pools"].items() if pool.get("role") == "worker"}
WORDS = SERVERS | POOLS | {*map(str, Step), "send_mail"}
STATES = {*map(str, State)} - {"failed"}
"""A command may have failed as well."""
SQL = re.compile(rf"\b(?:from|join|into|update)\s+(?:{'|'.join(metadata.tables)})\b", re.IGNORECASE)

SHARED = [path for path in sorted(CONDUCTOR.rglob("*.py")) if "capstones" not in path.relative_to(CONDUCTOR).parts]


def spoken(tree: ast.AST) -> Iterator[str]:
    """Every name and every text of a module, but for its documentation."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword | ast.arg) and node.arg:
            yield node.arg


def named(text: str) -> set[str]:
    """The tables, states, steps, queues, pools and outside servers of the orders that a text names."""
    tokens = {token for word in re.findall(r"[a-z_]+", text.lower()) for token in (word, *word.split("_"))}
    states = {state for state in STATES if text == state or f"'{state}'" in text}
    return (
        tokens & WORDS
        | states
        | {found.lower() for found in SQL.findall(text)}
        | {queue for queue in QUEUES if queue in text}
    )


@pytest.mark.parametrize(
    "text", ["SELECT 1 FROM orders", "orders.payments", "CARRIER_SECRET", "buy_label", "delivered"]
)
def test_what_is_the_orders_own_is_recognised(text: str) -> None:
    assert named(text)


@pytest.mark.parametrize("path", SHARED, ids=lambda path: str(path.relative_to(CONDUCTOR)))
def test_a_shared_module_names_nothing_of_the_orders(path: Path) -> None:
    found = {text: named(text) for text in spoken(ast.parse(path.read_text())) if named(text)}

    assert {} == found


NOT_RUN_YET: tuple[str, ...] = ()
"""Charts whose capstone no conductor can run. Each goes from here with its plug-in."""


def test_every_chart_has_a_plug_in_and_the_other_way_round() -> None:
    assert sorted(CHARTS) == sorted([*capstones.names(), *NOT_RUN_YET])


def test_the_contracts_name_every_capstone() -> None:
    contracts = {one["name"]: one for one in CONTRACTS}
    plug_ins = [f"conductor.capstones.{name}" for name in capstones.names()]

    assert [] == [name for name in CHARTS if not contracts.get(f"{name}: layers", {}).get("exhaustive")]
    # One alone has nobody to be kept apart from.
    assert (plug_ins if len(plug_ins) > 1 else []) == contracts.get(STRANGERS, {}).get("modules", [])


@pytest.mark.parametrize("capstone", capstones.names())
def test_a_capstone_says_why_it_cannot_be_drilled_in_some_way(capstone: str) -> None:
    system = capstones.named(capstone)
    needed = {kind for drill in catalogue(drills).values() for kind in drill.needs}
    offered = {type(one) for one in system.capabilities}

    assert needed - offered == set(system.lacks)
    assert all(sentence.strip() for sentence in system.lacks.values())


@pytest.mark.parametrize("capstone", capstones.names())
def test_a_plug_in_aims_at_pools_that_the_chart_has(capstone: str) -> None:
    system = capstones.named(capstone)

    assert {target.pool for target in system.targets} <= set(CHARTS[capstone]["pools"])
    assert {target.server for target in system.targets if target.server} <= {one.name for one in system.outside}
