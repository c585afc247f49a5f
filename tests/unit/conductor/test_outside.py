"""The outside world of a laptop: who is given the token that opens its ledgers and faults."""

from pathlib import Path

from conductor.capstone import load as load_plug_in
from conductor.laptop import environment, outside
from conductor.laptop.state import State, load, save
from conductor.run_directory import RunDirectory

ORDERS = load_plug_in("orders")
PORTS = dict.fromkeys(("orders.api", "postgres", "payments", "carrier", "smtp", "mail"), 1)


def fresh() -> State:
    return State.fresh("valkey").model_copy(update={"ports": PORTS})


def test_every_server_of_the_outside_has_the_token_and_no_process_of_the_service(tmp_path: Path) -> None:
    run, state = RunDirectory(tmp_path), fresh()
    token = state.passwords.outside_admin

    servers = outside.programs(ORDERS, run, state, {})
    service = environment.service(
        state, ORDERS, {}, database="postgresql://d", broker="redis://b", store="redis://s", own_stores={}
    )

    assert [token] * 3 == [server.environment["OUTSIDE_ADMIN_TOKEN"] for server in servers]
    assert token not in str(service)


def test_two_platforms_share_no_token() -> None:
    assert fresh().passwords.outside_admin != fresh().passwords.outside_admin


def test_a_state_from_before_there_was_a_token_gets_one_that_is_kept_privately(tmp_path: Path) -> None:
    path, older = tmp_path / "state.json", fresh().model_dump()
    del older["passwords"]["outside_admin"]
    state = State.model_validate(older)

    save(state, path)

    assert (state, 0o600) == (load(path), path.stat().st_mode & 0o777)
