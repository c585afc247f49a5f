"""The state file: what is stored comes back, and nobody else reads it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from conductor.errors import NotRunning, Refused, StateUnreadable
from conductor.laptop import outside, state
from conductor.laptop.platform import Platform
from conductor.laptop.state import Login, State, Tokens
from conductor.run_directory import RunDirectory


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    saved = State.fresh("valkey")
    state.save(saved, tmp_path / "state.json")

    assert saved == state.load(tmp_path / "state.json")


def test_no_two_platforms_share_a_password() -> None:
    one, other = State.fresh("valkey").passwords, State.fresh("valkey").passwords

    every = [*one.model_dump().values(), *other.model_dump().values()]
    assert len(every) == len(set(every))


def test_only_its_owner_reads_a_file_with_secrets(tmp_path: Path) -> None:
    state.save(State.fresh("valkey"), tmp_path / "state.json")

    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_no_two_capstones_share_a_token() -> None:
    own = State.fresh("valkey", "orders", "analytics")

    tokens = [token for login in own.logins.values() for token in login.tokens.model_dump().values()]
    assert 2 * len(Tokens.model_fields) == len(set(tokens))


def test_the_tokens_of_a_state_in_which_all_had_the_same_stay_the_first_capstones() -> None:
    told = State.fresh("valkey", "orders", "analytics").model_dump()
    for login in told["logins"].values():
        del login["tokens"]

    own = State.model_validate({**told, "tokens": {"operator": "o", "customer": "c"}})

    kept = own.logins["orders"].tokens
    assert ("o", "c") == (kept.operator, kept.customer)
    assert {"o", "c"}.isdisjoint(own.logins["analytics"].tokens.model_dump().values())


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
    told["tokens"] = {"operator": "o", "customer": "c"}
    return {**told, "ports": {"api": 8001, "postgres": 5433}, **changes}


def test_a_state_of_one_capstone_keeps_its_data_passwords_and_ports(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps(earlier()))

    own = state.load(tmp_path / "state.json")

    assert own is not None
    # What no earlier version had is new: the password of stores of its own, and the token of a second person.
    new = own.logins["orders"]
    tokens = Tokens(operator="o", customer="c", approver=new.tokens.approver)
    login = Login(postgres="p", rabbitmq="r", stores=new.stores, tokens=tokens, place=0)
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


def test_a_port_that_an_earlier_version_did_not_choose_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state.save(State.fresh("valkey", "trading").model_copy(update={"ports": {"postgres": 1, "trading.api": 2}}), path)
    own = state.loaded(path)
    platform = Platform(RunDirectory(tmp_path), own)

    told = {}
    for name, ask in {
        "feed": lambda: outside.addresses(platform.capstone, own),
        "fix": lambda: platform.capstone.environment(own.ports_of("trading")),
    }.items():
        with pytest.raises(Refused) as refused:
            ask()
        told[name] = str(refused.value)

    assert {f'no port is known of "{name}": what runs here was started by an earlier version' for name in told} == {
        said.partition(", which")[0] for said in told.values()
    }
    assert {"postgres": 1, "trading.api": 2} == json.loads(path.read_text())["ports"]
