"""Reading logs: whose, how many lines, and what comes later."""

from pathlib import Path

import pytest

from conductor.errors import Refused
from conductor.laptop import logs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("orders.saga-g1-0", "orders.saga-g2-0", "postgres"):
        (tmp_path / f"{name}.log").write_text(f"{name} one\n{name} two\n")
    return tmp_path


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who looks again at once."""
    monkeypatch.setattr(logs, "POLL_SECONDS", 0.001)


def read(folder: Path, process: str | None, lines: int = 9) -> list[tuple[str, str]]:
    return list(logs.read(folder, process, lines=lines, follow=False))


def test_a_pool_is_all_its_processes(folder: Path) -> None:
    assert {name for name, _ in read(folder, "saga")} == {"orders.saga-g1-0", "orders.saga-g2-0"}


def test_only_the_last_lines_are_read(folder: Path) -> None:
    assert read(folder, "postgres", lines=1) == [("postgres", "postgres two")]


def test_a_process_without_a_log_is_refused_with_those_that_have_one(folder: Path) -> None:
    with pytest.raises(Refused, match=r'no log of "sage"; there are orders\.saga-g1-0, orders\.saga-g2-0, postgres'):
        read(folder, "sage")


def test_following_goes_on_with_what_is_written_later(folder: Path) -> None:
    lines = logs.read(folder, "postgres", lines=1, follow=True)
    next(lines)
    with (folder / "postgres.log").open("a") as log:
        log.write("postgres three\n")

    assert next(lines) == ("postgres", "postgres three")


def test_following_goes_on_in_a_log_that_was_begun_anew(folder: Path) -> None:
    lines = logs.read(folder, "postgres", lines=1, follow=True)
    next(lines)
    (folder / "postgres.log").rename(folder / "postgres.log.1")
    (folder / "postgres.log").write_text("anew\n")

    assert next(lines) == ("postgres", "anew")
