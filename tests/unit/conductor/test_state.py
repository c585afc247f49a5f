"""The state file: what is stored comes back, and nobody else reads it."""

import stat
from pathlib import Path

import pytest

from conductor.errors import NotRunning, StateUnreadable
from conductor.laptop import state
from conductor.laptop.state import State


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    saved = State.fresh("valkey")
    state.save(saved, tmp_path / "state.json")

    assert saved == state.load(tmp_path / "state.json")


def test_no_two_platforms_share_a_password() -> None:
    one, other = State.fresh("valkey").passwords, State.fresh("valkey").passwords

    every = [*one.model_dump().values(), *other.model_dump().values()]
    assert len(every) == len(set(every))


@pytest.mark.parametrize("name", ["state.json", "tokens.json"])
def test_only_its_owner_reads_a_file_with_secrets(name: str, tmp_path: Path) -> None:
    own = State.fresh("valkey")
    state.save(own, tmp_path / "state.json")
    state.write_tokens(own, tmp_path / "tokens.json")

    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_platform_that_never_ran_is_said_not_to_run(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="make up"):
        state.loaded(tmp_path / "state.json")


@pytest.mark.parametrize("text", ["", "{", '{"run_id": "1"}', '{"of_a_later_version": 1}'])
def test_a_damaged_file_is_named_and_shows_no_secret(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)

    with pytest.raises(StateUnreadable, match=r"state\.json is damaged, or another version wrote it \("):
        state.load(tmp_path / "state.json")
