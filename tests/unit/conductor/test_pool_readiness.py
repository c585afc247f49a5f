"""Whether a pool is ready: by as many of its processes as it should have, of whatever generations, while they come and go."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conductor.laptop import programs, start
from conductor.laptop.platform import Platform
from conductor.laptop.probes import Answer
from conductor.laptop.programs import Program
from conductor.laptop.state import State
from conductor.laptop.supervisor import Process
from conductor.run_directory import RunDirectory


class Supervised:
    """Looks at the processes of a pool, one list after another, the last one for ever."""

    def __init__(self, *looks: list[Process]) -> None:
        self._looks = list(looks)

    def processes(self) -> list[Process]:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]


def process(name: str, pid: int = 7, state: str = "RUNNING") -> Process:
    return Process(name, state, pid, 0, 0, "")


Reasons = Callable[..., list[str]]


@pytest.fixture
def reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reasons:
    """Why `payments`, of one replica, is not ready; `well` are those that answer well, `gone` those whose files were removed."""
    run = RunDirectory(tmp_path)
    run.make()
    platform = Platform(run, State.fresh("valkey"))

    def found(*looks: list[Process], well: tuple[str, ...] = (), gone: tuple[str, ...] = ()) -> list[str]:
        for one in {one.name for look in looks for one in look} - set(gone):
            programs.write(Program(one, "pool", ["/bin/true"], {"NAME": one}), run)
        platform.__dict__["supervisor"] = Supervised(*looks)
        monkeypatch.setattr(
            "conductor.laptop.probes.ask", lambda _question, _role, own: Answer(own["NAME"] in well, "as told")
        )
        return start.pool_unready(platform, platform.pools["payments"])

    return found


OLD, NEW = process("orders.payments-g1-0"), process("orders.payments-g2-0", 8)


def test_a_pool_whose_only_process_is_not_ready_is_not(reasons: Reasons) -> None:
    assert ["orders.payments-g1-0: as told"] == reasons([OLD])


def test_a_pool_without_processes_is_not_ready(reasons: Reasons) -> None:
    assert ["payments has 0 of 1 processes"] == reasons([])


def test_a_new_generation_that_still_starts_takes_nothing_away(reasons: Reasons) -> None:
    assert [] == reasons([OLD, NEW], well=("orders.payments-g1-0",))


@pytest.mark.parametrize("state", ["STOPPING", "STOPPED"])
def test_what_a_roll_told_to_end_is_not_waited_for(reasons: Reasons, state: str) -> None:
    assert [] == reasons([process("orders.payments-g1-0", 0, state), NEW], well=("orders.payments-g2-0",))
    assert ["payments has 0 of 1 processes"] == reasons(
        [process("orders.payments-g1-0", 0, state)], well=("orders.payments-g1-0",)
    )


def test_a_roll_between_the_list_and_the_question_is_asked_again(reasons: Reasons) -> None:
    assert [] == reasons([OLD], [NEW], well=("orders.payments-g2-0",), gone=("orders.payments-g1-0",))


def test_a_process_that_was_started_again_meanwhile_is_asked_again(reasons: Reasons) -> None:
    again = process("orders.payments-g1-0", 9)

    assert ["orders.payments-g1-0: as told"] == reasons([OLD], [again], [again])


def test_a_process_between_two_starts_is_not_ready_whatever_it_said_last(reasons: Reasons) -> None:
    ended = Process("orders.payments-g1-0", "BACKOFF", 0, 0, 1, "Exited too quickly")

    assert ["orders.payments-g1-0: it does not run now (backoff: Exited too quickly)"] == reasons(
        [ended], well=("orders.payments-g1-0",)
    )


def test_a_process_whose_files_are_gone_is_told_and_no_error(reasons: Reasons) -> None:
    assert ["orders.payments-g1-0: it was ended"] == reasons([OLD], gone=("orders.payments-g1-0",))
