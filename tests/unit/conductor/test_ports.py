"""Ports: the usual one, the stored one, or the next that nobody holds."""

import socket

from conductor.laptop import ports


def held() -> socket.socket:
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.listen()
    return holder


def test_a_held_port_is_not_free() -> None:
    with held() as holder:
        assert not ports.free(holder.getsockname()[1])


def test_the_next_free_port_is_taken_when_the_stored_one_is_held() -> None:
    with held() as holder:
        stored = holder.getsockname()[1]

        with ports.reserved(["postgres"], {"postgres": stored}) as chosen:
            pass

    assert stored != chosen["postgres"]
    assert chosen["postgres"] >= ports.USUAL["postgres"]


def test_a_stored_port_that_is_free_is_kept() -> None:
    with held() as holder:
        stored = holder.getsockname()[1]

    with ports.reserved(["postgres"], {"postgres": stored}) as chosen:
        assert chosen == {"postgres": stored}


def test_no_two_names_get_the_same_port() -> None:
    with held() as holder:
        stored = holder.getsockname()[1]

    with ports.reserved(["postgres", "valkey"], {"postgres": stored, "valkey": stored}) as chosen:
        assert len(set(chosen.values())) == 2


def test_two_starts_at_once_get_different_ports() -> None:
    with ports.reserved(["postgres"], {}) as one, ports.reserved(["postgres"], {}) as other:
        assert one != other


def test_the_ports_of_a_platform_that_runs_go_to_nobody_while_its_servers_are_away() -> None:
    with held() as holder:
        port = holder.getsockname()[1]
    kept = ports.Kept([port])
    with ports.reserved(["postgres"], {"postgres": port}):
        kept.take()  # the start that chose it still has it
    kept.take()

    with ports.reserved(["postgres"], {"postgres": port}) as chosen:
        assert port != chosen["postgres"]
    kept.close()
    with ports.reserved(["postgres"], {"postgres": port}) as chosen:
        assert port == chosen["postgres"]
