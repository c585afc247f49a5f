"""Which labs a change asks to grade: those that it touches, and when it is the grader's, a lab of each check kind."""

import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import fsum
from pathlib import Path

from grader import checks
from grader.adapters.outside import INSIDE_PORTS
from grader.catalog import SYSTEMS, Catalog
from grader.errors import LabError
from grader.gradings import FILE, remembered

SERVICES = Path(__file__).parents[1]
UNKNOWN_SECONDS = 120.0
"""Of all answers of a lab that no grading is remembered of."""


def chosen(catalog: Catalog, slugs: Sequence[str], since: str) -> list[str]:
    """These labs; else those that a change since a commit asks for; else all."""
    return list(slugs) or (changed(catalog, since) if since else catalog.slugs())


def changed(catalog: Catalog, since: str, services: Path = SERVICES) -> list[str]:
    """The labs that something asks for which is another than in a commit, in the catalogue's order.

    A lab's own folder asks for it, and the files that labs begin with (the shop, a system) for each of those. The module of a check kind
    asks for one lab of the kind, the rest of the grader for one of each kind, and the outside world for one of each of its servers. Raises
    LabError when git cannot compare.
    """
    folders = {Path(line).parts[0] for line in _differing(catalog.folder, since) if not line.endswith(".md")}
    modules = {Path(line) for line in _differing(services / "grader", since)}
    outside = _differing(services / "outside", since)
    folders |= {system for system in SYSTEMS if _differing(services / system, since)}
    if not folders and not modules and not outside:
        return []
    bases = {slug: catalog.lab(slug).base for slug in catalog.slugs()}
    kinds = {path.stem for path in modules if path.parent.name == "checks"} & set(checks.kinds())
    seconds = recorded_seconds(catalog)
    cheapest = _cheapest(_used(catalog), seconds)
    asked = {slug for slug, base in bases.items() if slug in folders or base in folders}
    asked |= {cheapest[kind] for kind in kinds & set(cheapest)}
    if len(modules) > len(kinds):
        asked |= set(covering(catalog))
    if outside:
        servers = {slug: set(INSIDE_PORTS) & set(catalog.lab(slug).servers) for slug in bases}
        asked |= set(_cheapest(servers, seconds).values())
    return [slug for slug in bases if slug in asked]


def bounded(catalog: Catalog, slugs: Sequence[str], seconds: float, turn: int) -> list[str]:
    """One share of these labs, which is graded one after the other within so many seconds, as earlier gradings tell, or is one lab.

    Turns that follow each other, such as the numbers of commits, take one share after the other: each lab comes in one of them.
    """
    takes = recorded_seconds(catalog)
    shares: list[list[str]] = []
    for slug in _dearest_first(set(slugs), takes):
        fits = (share for share in shares if fsum(takes[one] for one in [*share, slug]) <= seconds)
        share = next(fits, None)
        if share is None:
            shares.append(share := [])
        share.append(slug)
    mine = shares[turn % len(shares)] if shares else []
    return [slug for slug in slugs if slug in mine]


def covering(catalog: Catalog) -> list[str]:
    """Labs that together use every check kind that any lab uses, the dearest first; they are those that are soon graded."""
    used, seconds = _used(catalog), recorded_seconds(catalog)
    found = _dearest_first(set(_cheapest(used, seconds).values()), seconds)
    for slug in list(found):
        if used[slug] <= set().union(*(used[other] for other in found if other != slug)):
            found.remove(slug)
    return found


def answer_seconds(catalog: Catalog) -> dict[tuple[str, str], float]:
    """How long the grading of an answer of a lab takes, as the last ones tell that are remembered."""
    return {(one.lab, one.answer): (one.fastest + one.slowest) / 2 for one in remembered(catalog.folder / FILE)}


def recorded_seconds(catalog: Catalog) -> dict[str, float]:
    """How long the gradings of a lab's answers take together, as earlier ones tell."""
    told: dict[str, float] = defaultdict(float)
    for (slug, _), seconds in answer_seconds(catalog).items():
        told[slug] += seconds
    return {slug: told.get(slug, UNKNOWN_SECONDS) for slug in catalog.slugs()}


def _used(catalog: Catalog) -> dict[str, set[str]]:
    """The check kinds of each lab."""
    return {slug: {check.kind for check in catalog.lab(slug).checks} for slug in catalog.slugs()}


def _cheapest(used: Mapping[str, set[str]], seconds: Mapping[str, float]) -> dict[str, str]:
    """For each check kind, or server, the lab that uses it and is soonest graded."""
    return {kind: slug for slug in _dearest_first(set(used), seconds) for kind in used[slug]}


def _dearest_first(slugs: set[str], seconds: Mapping[str, float]) -> list[str]:
    return sorted(slugs, key=lambda slug: (-seconds[slug], slug))


def _differing(folder: Path, since: str) -> list[str]:
    compare = ["git", "-C", str(folder), "diff", "--name-only", "--relative", since, "--", "."]
    ended = subprocess.run(compare, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise LabError(f"git cannot compare {folder} with {since}: {ended.stderr.strip()}")
    return ended.stdout.splitlines()
