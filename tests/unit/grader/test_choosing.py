"""Which labs a change asks to grade, told by git in a checkout of its own."""

import shutil
import subprocess
from collections.abc import Callable
from math import fsum
from pathlib import Path

import pytest

from grader import checks
from grader.catalog import SYSTEMS, Catalog
from grader.choosing import SERVICES, bounded, changed, chosen, covering, recorded_seconds
from grader.errors import LabError

EVERY = Catalog()
KINDS = {slug: {check.kind for check in EVERY.lab(slug).checks} for slug in EVERY.slugs()}

Asked = Callable[..., list[str]]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The labs, the grader's kinds and the outside world, committed."""
    made = tmp_path_factory.mktemp("checkout")
    shutil.copytree(EVERY.folder, made / "labs")
    for folder in ("grader/checks", "outside", *SYSTEMS):
        shutil.copytree(SERVICES / folder, made / "services" / folder, ignore=shutil.ignore_patterns("*.pyc"))
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "All"]):
        own = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", made, *own, *words], check=True, capture_output=True)
    return made


@pytest.fixture
def asked(checkout: Path) -> Asked:
    """What is asked for once these files are others."""

    def changes(*files: str) -> list[str]:
        try:
            for file in files:
                with (checkout / file).open("a") as text:
                    text.write("\n# other\n")
            return changed(Catalog(checkout / "labs"), "HEAD", checkout / "services")
        finally:
            subprocess.run(["git", "-C", checkout, "checkout", "--quiet", "."], check=True)

    return changes


def test_a_lab_whose_files_changed_is_asked_for(asked: Asked) -> None:
    assert [] == asked()
    assert ["two-clocks"] == asked("labs/two-clocks/starter/shop/app.py")
    assert ["two-clocks"] == asked("labs/two-clocks/answers/model/shop/digests.py")


def test_words_for_the_learner_ask_for_none(asked: Asked) -> None:
    assert [] == asked("labs/two-clocks/hints.md", "labs/two-clocks/README.md", "labs/catalog.yaml")


def test_what_many_labs_share_asks_for_each_of_them(asked: Asked) -> None:
    of_the_shop = [slug for slug in EVERY.slugs() if EVERY.lab(slug).base == "shop"]

    assert sorted(covering(EVERY)) == sorted(asked("services/grader/checks/__init__.py"))
    assert of_the_shop == asked("labs/shop/place.py")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_that_changed_asks_for_the_labs_on_it(asked: Asked, system: str) -> None:
    assert (
        [slug for slug in EVERY.slugs() if EVERY.lab(slug).base == system] == asked(f"services/{system}/app.py") != []
    )


def test_a_kind_that_changed_asks_for_one_lab(asked: Asked) -> None:
    (found,) = asked("services/grader/checks/log_lines.py")

    assert "log_lines" in KINDS[found]


def test_the_outside_world_asks_for_a_lab_of_each_of_its_servers(asked: Asked) -> None:
    found = asked("services/outside/carrier.py")

    assert {"payments", "carrier", "mail"} <= {server for slug in found for server in EVERY.lab(slug).servers}
    assert len(found) <= 3


def test_a_commit_that_is_none_is_refused(checkout: Path) -> None:
    with pytest.raises(LabError, match="bad revision 'nothing'"):
        changed(Catalog(checkout / "labs"), "nothing", checkout / "services")


def test_the_labs_for_all_kinds_are_few_and_soon_graded() -> None:
    seconds, found = recorded_seconds(EVERY), covering(EVERY)

    assert set(checks.kinds()) == set().union(*(KINDS[slug] for slug in found))
    for slug in found:
        only_here = KINDS[slug] - set().union(*(KINDS[other] for other in found if other != slug))
        assert only_here, f"{slug} is there for nothing"
        assert any(
            seconds[slug] == min(seconds[one] for one in EVERY.slugs() if kind in KINDS[one]) for kind in only_here
        ), f"{slug} is not the one that is soonest graded"


def test_without_a_commit_all_are_asked_for_but_for_those_that_are_named() -> None:
    assert EVERY.slugs() == chosen(EVERY, [], "")
    assert ["first-app"] == chosen(EVERY, ["first-app"], "HEAD")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.2, 0.3, 0.5, 0.9, 1.0])
def test_each_lab_comes_in_one_of_the_turns_and_none_takes_too_long(share: float) -> None:
    slugs, seconds = EVERY.slugs(), recorded_seconds(EVERY)
    most = share * fsum(seconds.values())

    turns = [bounded(EVERY, slugs, most, turn) for turn in range(100, 100 + len(slugs))]

    assert set(slugs) == {slug for labs in turns for slug in labs}
    for labs in turns:
        assert labs == [slug for slug in slugs if slug in labs]
        assert 1 == len(labs) or fsum(seconds[slug] for slug in labs) <= most
    # As few as can be, give or take what does not fill a share.
    assert len({tuple(labs) for labs in turns}) <= max(1, min(len(slugs), 2 / (share or 1e-9)))


def test_a_turn_of_nothing_is_nothing() -> None:
    assert [] == bounded(EVERY, [], 5, 1)
