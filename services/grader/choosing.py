"""Which labs a change asks to grade: those that it touches, and when it is the grader's, a lab of each check kind."""

import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import fsum
from pathlib import Path

from conductor.parts import part_of
from grader import checks
from grader.catalog import Catalog
from grader.errors import LabError
from grader.gradings import FILE, remembered

GRADER = Path(__file__).parent
UNKNOWN_SECONDS = 120.0
"""Of all answers of a lab that no grading is remembered of."""


def chosen(catalog: Catalog, slugs: Sequence[str], since: str, part: str) -> list[str]:
    """These labs; else those that a change since a commit asks for; else a part of those with a lab of each check kind; else all."""
    if slugs:
        return list(slugs)
    if since:
        return changed(catalog, since, part or "1/1")
    return list(part_of(covering(catalog), part)) if part else catalog.slugs()


def changed(catalog: Catalog, since: str, part: str = "1/1", grader: Path = GRADER) -> list[str]:
    """The labs that differ from those in a commit, in the catalogue's order.

    A lab whose own folder changed is always among them, and one of each check kind whose module did. What many labs share (the rest of the
    grader, and the files that labs begin with) asks for one of each kind and for those that begin with it: of these a part, such as 2/3.
    Raises LabError when git cannot compare, and ValueError for a part that is none.
    """
    folders = {Path(line).parts[0] for line in _differing(catalog.folder, since) if not line.endswith(".md")}
    modules = {Path(line) for line in _differing(grader, since)}
    if not folders and not modules:
        return []
    bases = {slug: catalog.lab(slug).base for slug in catalog.slugs()}
    kinds = {path.stem for path in modules if path.parent.name == "checks"} & set(checks.kinds())
    seconds, used = recorded_seconds(catalog), _used(catalog)
    cheapest = _cheapest(used, seconds)
    shared = {slug for slug, base in bases.items() if base in folders}
    if len(modules) > len(kinds):
        shared |= set(_covering(used, seconds))
    asked = (folders & set(bases)) | {cheapest[kind] for kind in kinds & set(cheapest)}
    asked |= set(part_of(_dearest_first(shared, seconds), part))
    return [slug for slug in bases if slug in asked]


def bounded(catalog: Catalog, slugs: Sequence[str], seconds: float, part: str) -> list[str]:
    """As many of these labs as are graded one after the other within so many seconds, as earlier gradings tell; at least one.

    Each part begins at another place of the list, so that commits that follow each other leave out others.
    """
    takes = recorded_seconds(catalog)
    number, _, of = part.partition("/")
    start = len(slugs) * (int(number) - 1) // int(of)
    kept: list[str] = []
    for slug in [*slugs[start:], *slugs[:start]]:
        if not kept or fsum(takes[one] for one in [*kept, slug]) <= seconds:
            kept.append(slug)
    return [slug for slug in slugs if slug in kept]


def covering(catalog: Catalog) -> list[str]:
    """Labs that together use every check kind that any lab uses, the dearest first; they are those that are soon graded."""
    return _covering(_used(catalog), recorded_seconds(catalog))


def recorded_seconds(catalog: Catalog) -> dict[str, float]:
    """How long the gradings of a lab's answers take together, as earlier ones tell."""
    told: dict[str, dict[str, float]] = defaultdict(dict)
    for one in remembered(catalog.folder / FILE):
        told[one.lab][one.answer] = (one.fastest + one.slowest) / 2
    return {slug: sum(told[slug].values()) if slug in told else UNKNOWN_SECONDS for slug in catalog.slugs()}


def _used(catalog: Catalog) -> dict[str, set[str]]:
    """The check kinds of each lab."""
    return {slug: {check.kind for check in catalog.lab(slug).checks} for slug in catalog.slugs()}


def _covering(used: Mapping[str, set[str]], seconds: Mapping[str, float]) -> list[str]:
    found = _dearest_first(set(_cheapest(used, seconds).values()), seconds)
    for slug in list(found):
        if used[slug] <= set().union(*(used[other] for other in found if other != slug)):
            found.remove(slug)
    return found


def _cheapest(used: Mapping[str, set[str]], seconds: Mapping[str, float]) -> dict[str, str]:
    """For each check kind the lab that uses it and is soonest graded."""
    return {kind: slug for slug in _dearest_first(set(used), seconds) for kind in used[slug]}


def _dearest_first(slugs: set[str], seconds: Mapping[str, float]) -> list[str]:
    return sorted(slugs, key=lambda slug: (-seconds[slug], slug))


def _differing(folder: Path, since: str) -> list[str]:
    compare = ["git", "-C", str(folder), "diff", "--name-only", "--relative", since, "--", "."]
    ended = subprocess.run(compare, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise LabError(f"git cannot compare {folder} with {since}: {ended.stderr.strip()}")
    return ended.stdout.splitlines()
