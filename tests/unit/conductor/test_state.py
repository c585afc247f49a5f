"""The state file: what is stored comes back, and nobody else reads it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from conductor.errors import NotRunning, StateUnreadable
from conductor.laptop import state
from conductor.laptop.state import Login, State


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


def earlier(**changes: object) -> dict[str, Any]:
    """What a version wrote that knew one capstone only."""
    told = State.fresh("rabbitmq").model_dump()
    del told["capstones"], told["logins"]
    told["passwords"] |= {"postgres": "p", "rabbitmq": "r"}
    return {**told, "ports": {"api": 8001, "postgres": 5433}, **changes}


def test_a_state_of_one_capstone_keeps_its_data_passwords_and_ports(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps(earlier()))

    own = state.load(tmp_path / "state.json")

    assert own is not None
    # The password of stores of its own is new: no earlier version had such stores.
    login = Login(postgres="p", rabbitmq="r", stores=own.logins["orders"].stores, place=0)
    assert (["orders"], {"orders": login}) == (own.capstones, own.logins)
    assert ({"orders.api": 8001, "postgres": 5433}, True) == (own.ports, own.earlier)


def test_a_state_of_an_earlier_version_is_not_taken_for_one_that_runs(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps(earlier()))

    with pytest.raises(NotRunning, match="an earlier version started what is in"):
        state.loaded(tmp_path / "state.json")


def test_a_state_that_was_taken_over_is_one_of_this_version(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state.save(State.model_validate(earlier()), path)

    assert ["orders"] == state.loaded(path).capstones


def test_a_capstone_keeps_its_login_while_it_does_not_run() -> None:
    first = State.fresh("valkey", "orders")
    both = first.running("orders", "analytics", "orders")
    left = both.running("analytics")

    assert ["orders", "analytics"] == both.capstones
    assert (["analytics"], both.logins) == (left.capstones, left.logins)
    assert [0, 1] == [login.place for login in both.logins.values()]
    assert first.logins["orders"] == both.running("trading", "orders").logins["orders"]


def test_each_capstone_sees_its_own_api() -> None:
    own = State.fresh("valkey", "orders", "analytics").model_copy(
        update={"ports": {"orders.api": 1, "analytics.api": 2, "postgres": 3}}
    )

    assert (1, 2, 3) == (
        own.ports_of("orders")["api"],
        own.ports_of("analytics")["api"],
        own.ports_of("orders")["postgres"],
    )
