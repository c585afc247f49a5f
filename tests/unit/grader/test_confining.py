"""What is said of a machine that has no bubblewrap, or whose bubblewrap makes no box."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.adapters import box, confining


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    confining.best.cache_clear()
    yield
    confining.best.cache_clear()


def test_without_bubblewrap_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confining, "programs", lambda: iter(()))

    assert box.sentence(confining.best()) == (
        "learner code is not confined here (bubblewrap is not installed): "
        "practice only, it cannot count for an exam or a certificate"
    )
    assert confining.mending() == "sudo apt-get install bubblewrap"


def test_a_program_that_makes_no_box_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confining, "programs", lambda: iter([Path("/bin/false")]))

    chosen = confining.best()

    assert (False, "the box did not start: the program did not start") == (chosen.confined, chosen.why_not)


def test_the_next_program_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    real = next(confining.programs())
    monkeypatch.setattr(confining, "programs", lambda: iter([Path("/bin/false"), real]))

    assert confining.best().confined


def test_elsewhere_than_on_linux_there_is_no_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")

    chosen = confining.best()

    assert (False, "bubblewrap needs Linux", "") == (chosen.confined, chosen.why_not, confining.mending())
