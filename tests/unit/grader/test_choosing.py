"""Which labs a change asks to grade, told by git in a checkout of its own."""

import shutil
import subprocess
from collections.abc import Callable
from math import fsum
from pathlib import Path

import pytest

from grader import checks
from grader.catalog import Catalog
from grader.choosing import bounded, changed, chosen, covering, recorded_seconds
from grader.errors import LabError

EVERY = Catalog()
KINDS = {slug: {check.kind for check in EVERY.lab(slug).checks} for slug in EVERY.slugs()}

Asked = Callable[..., list[str]]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The labs and the grader's kinds, committed."""
    made = tmp_path_factory.mktemp("checkout")
    shutil.copytree(EVERY.folder, made / "labs")
    shutil.copytree(Path(checks.__file__).parent, made / "grader" / "checks", ignore=shutil.ignore_patterns("*.pyc"))
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "All"]):
        own = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", made, *own, *words], check=True, capture_output=True)
    return made


@pytest.fixture
def asked(checkout: Path) -> Asked:
    """What is asked for once these files are others, in each part of so many."""

    def changes(*files: str, parts: int = 1) -> list[str]:
        try:
            for file in files:
                with (checkout / file).open("a") as text:
                    text.write("\n# other\n")
            catalog = Catalog(checkout / "labs")
            every = [changed(catalog, "HEAD", f"{part}/{parts}", checkout / "grader") for part in range(1, parts + 1)]
        finally:
            subprocess.run(["git", "-C", checkout, "checkout", "--quiet", "."], check=True)
        return [slug for part in every for slug in part]

    return changes


def test_a_lab_whose_files_changed_is_asked_for_in_every_part(asked: Asked) -> None:
    assert [] == asked()
    assert ["two-clocks"] * 3 == asked("labs/two-clocks/starter/shop/app.py", parts=3)
    assert ["two-clocks"] == asked("labs/two-clocks/answers/model/shop/digests.py")


def test_words_for_the_learner_ask_for_none(asked: Asked) -> None:
    assert [] == asked("labs/two-clocks/hints.md", "labs/two-clocks/README.md", "labs/catalog.yaml")


def test_what_many_labs_share_asks_for_each_of_them_in_one_of_the_parts(asked: Asked) -> None:
    of_the_shop = [slug for slug in EVERY.slugs() if EVERY.lab(slug).base == "shop"]

    assert sorted(covering(EVERY)) == sorted(asked("grader/checks/__init__.py", parts=3))
    assert sorted(of_the_shop) == sorted(asked("labs/shop/place.py", parts=3))


def test_a_kind_that_changed_is_asked_for_in_every_part(asked: Asked) -> None:
    found = asked("grader/checks/log_lines.py", parts=2)

    assert 2 == len(found)
    assert all("log_lines" in KINDS[slug] for slug in found)


def test_a_commit_that_is_none_is_refused(checkout: Path) -> None:
    with pytest.raises(LabError, match="bad revision 'nothing'"):
        changed(Catalog(checkout / "labs"), "nothing", grader=checkout / "grader")


def test_the_labs_for_all_kinds_are_few_and_soon_graded() -> None:
    seconds, found = recorded_seconds(EVERY), covering(EVERY)

    assert set(checks.kinds()) == set().union(*(KINDS[slug] for slug in found))
    for slug in found:
        only_here = KINDS[slug] - set().union(*(KINDS[other] for other in found if other != slug))
        assert only_here, f"{slug} is there for nothing"
        assert any(
            seconds[slug] == min(seconds[one] for one in EVERY.slugs() if kind in KINDS[one]) for kind in only_here
        ), f"{slug} is not the one that is soonest graded"


def test_without_a_commit_a_part_is_of_a_lab_for_each_kind() -> None:
    parts = [slug for part in ("1/2", "2/2") for slug in chosen(EVERY, [], "", part)]

    assert sorted(covering(EVERY)) == sorted(parts)
    assert EVERY.slugs() == chosen(EVERY, [], "", "")
    assert ["first-app"] == chosen(EVERY, ["first-app"], "HEAD", "1/2")


@pytest.mark.parametrize("part", ["3/2", "0/2", "half", "1/", "/2"])
def test_a_part_that_is_none_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match=f'"{part}" is no part'):
        chosen(EVERY, [], "", part)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_what_would_take_too_long_is_left_out_and_in_each_part_something_else(share: float) -> None:
    slugs, seconds = EVERY.slugs(), recorded_seconds(EVERY)
    most = share * fsum(seconds.values())

    kept = [bounded(EVERY, slugs, most, f"{number}/5") for number in range(1, 6)]

    for labs in kept:
        assert labs == [slug for slug in slugs if slug in labs]
        assert 1 == len(labs) or fsum(seconds[slug] for slug in labs) <= most
    assert (share == 1.0) == (kept[0] == kept[2] == slugs)
    assert share < 0.5 or set(slugs) == set().union(*map(set, kept))


def test_nothing_is_left_out_of_nothing() -> None:
    assert [] == bounded(EVERY, [], 5, "1/1")
