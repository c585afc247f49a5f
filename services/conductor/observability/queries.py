"""What the dashboards and the rules ask, piece by piece, so that each piece can be asked by itself. Pure but for reading the files.

A rule that does not fire returns nothing, as does one that asks for a label that nobody has. So its conditions are taken out: a comparison
with a number goes, `unless` becomes `and`, which finds only what both sides have, and each side of an `or` is asked alone. Each selector is
asked as well: an `or` hides one that finds nothing.
"""

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from conductor.observability import rules
from conductor.observability.registry import SUFFIX, Registry
from conductor.run_directory import CHECKOUT

DASHBOARDS = CHECKOUT / "observability" / "dashboards"

PROMETHEUS = "prometheus"
"""The source of what Prometheus makes itself: alerts that fire, ratios of service levels."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*") | (?P<labels>\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}) | (?P<window>\[[^]]*\])
    | (?P<number>\d[\d.]*(?:e[+-]?\d+)?) | (?P<name>[a-zA-Z_:][\w:]*) | (?P<comparison>==|!=|>=|<=|>|<) | (?P<other>.))""",
    re.VERBOSE,
)
_GROUPING = ("by", "without", "on", "ignoring", "group_left", "group_right")
_WORDS = (*_GROUPING, "and", "or", "unless", "bool", "offset")

_Token = tuple[str, str]
"""The kind of a token, and what stands there."""


@dataclass(frozen=True, slots=True)
class Query:
    """A piece that can be asked. `where` tells of the first panel or rule that it is of, `board` the dashboard, if it is of one;
    `selectors` are those in it, and `sources` the kinds of process that show their metrics.

    `needs` are, for each side of an `or`, the selectors without any of which it has nothing: none where there is an `or` within it.
    """

    where: str
    expr: str
    board: str
    selectors: tuple[str, ...]
    sources: frozenset[str]
    needs: tuple[tuple[str, ...], ...]


def queries(registry: Registry, window: str, folder: Path = DASHBOARDS) -> list[Query]:
    """Every piece of every panel and rule, each once; `window` takes the place of the times over which rates are taken."""
    found: dict[tuple[str, str], Query] = {}
    for where, board, expr in (*_of_panels(folder), *_of_rules(registry)):
        for piece in pieces(expr, window):
            named = tuple(selectors(piece))
            if named:  # `vector(1)` asks for nothing
                sources = frozenset(source for one in named for source in _sources(registry, one))
                needs = tuple(tuple(selectors(side)) if " or " not in side else () for side in _sides(_tokens(piece)))
                found.setdefault((board, piece), Query(where, piece, board, named, sources, needs))
    return list(found.values())


def _of_panels(folder: Path) -> Iterator[tuple[str, str, str]]:
    for file in sorted(folder.glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{file.stem}: {panel['title']}", file.stem, target["expr"]


def _of_rules(registry: Registry) -> Iterator[tuple[str, str, str]]:
    for group in rules.document(registry)["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or f"{rule['record']} of {rule['labels']['slo']}", "", rule["expr"]


def pieces(expr: str, window: str) -> list[str]:
    """Each side of the query's `or` without its conditions, the query without them, and each of its selectors."""
    tokens = [(kind, f"[{window}]" if kind == "window" else text) for kind, text in _unconditioned(_tokens(expr))]
    return list(dict.fromkeys([*_sides(tokens), _written(tokens), *selectors(expr)]))


def selectors(expr: str) -> list[str]:
    """The series that a query names, with the conditions on their labels and without a window."""
    tokens = [*_tokens(expr), ("end", "")]
    found = []
    grouping = False
    for (kind, text), (next_kind, following) in itertools.pairwise(tokens):
        grouping = (grouping or text in _GROUPING) and text != ")"
        if kind == "name" and not grouping and text not in _WORDS and following not in ("(", *_GROUPING):
            found.append(text + (following if next_kind == "labels" and following != "{}" else ""))
    return list(dict.fromkeys(found))


def metric(selector: str) -> str:
    """Of which metric it finds series, a histogram by its name."""
    return SUFFIX.sub("", selector.partition("{")[0])


def excused(query: Query, listed: Iterable[str]) -> bool:
    """Whether it need not have data, because each side of it has none without series that are in this list."""
    return all(any(is_listed(one, listed) for one in side) for side in query.needs)


def is_listed(selector: str, listed: Iterable[str]) -> bool:
    """Whether a selector is in a list, as it stands or by its metric."""
    return selector in listed or metric(selector) in listed


def _sources(registry: Registry, selector: str) -> Iterable[str]:
    known = registry.metrics.get(metric(selector))
    return known.source if known else [PROMETHEUS]


def _tokens(expr: str) -> list[_Token]:
    return [(found.lastgroup or "", found[found.lastgroup or 0]) for found in _TOKEN.finditer(expr.strip())]


def _unconditioned(tokens: list[_Token]) -> Iterator[_Token]:
    """Without comparisons, each with the number that follows it and what that is multiplied by."""
    skipping = False
    for kind, text in tokens:
        skipping = kind == "comparison" or (skipping and (kind == "number" or text in ("*", "-")))
        if not skipping:
            yield (kind, "and") if text == "unless" else (kind, text)


def _sides(tokens: Iterable[_Token]) -> list[str]:
    """What stands between each `or` that is in no parentheses."""
    sides: list[list[_Token]] = [[]]
    depth = 0
    for kind, text in tokens:
        depth += (text == "(") - (text == ")")
        if depth == 0 and text == "or":
            sides.append([])
        else:
            sides[-1].append((kind, text))
    return [_written(side) for side in sides]


def _written(tokens: list[_Token]) -> str:
    """The query again."""
    return "".join(
        text if kind in ("labels", "window") else f" {text}" for kind, text in tokens if text != "{}"
    ).strip()
