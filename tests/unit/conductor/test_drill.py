"""What a drill needs of a capstone, and where it can be played."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from conductor.capabilities import HoldsCalls, Redelivers, SurvivesBrokerLoss
from conductor.capstone import Capstone, capability, load
from conductor.cluster.names import Names
from conductor.cluster.pool_values import folders
from conductor.commands.drill import known, lacking
from conductor.errors import Refused
from conductor.harness.drill import Drill

CAPSTONE = cast(
    Capstone,
    SimpleNamespace(
        name="toy", capabilities=(SurvivesBrokerLoss(),), lacks={Redelivers: "its messages are counted, not keyed"}
    ),
)


def play(session: Any) -> None:
    """Nothing."""


def test_a_capability_is_found_by_its_kind() -> None:
    assert SurvivesBrokerLoss() == capability(CAPSTONE, SurvivesBrokerLoss)


def test_a_capstone_that_lacks_something_says_why() -> None:
    drill = Drill("twice", "sends everything twice", play, needs=(SurvivesBrokerLoss, Redelivers))

    with pytest.raises(Refused, match="toy: its messages are counted, not keyed"):
        drill.check(CAPSTONE)


def test_what_nobody_gave_a_reason_for_is_refused_by_its_name() -> None:
    with pytest.raises(Refused, match="toy: it has no HoldsCalls"):
        capability(CAPSTONE, HoldsCalls)


def test_what_bars_a_drill_is_said_and_it_is_not_in_the_list_of_those_that_fit() -> None:
    drill = Drill("aside", "runs a second one beside it", play, bars=lambda capstone: f"{capstone.name} is one alone")

    with pytest.raises(Refused, match="toy: toy is one alone"):
        drill.check(CAPSTONE)
    assert ("toy: toy is one alone", None) == (lacking(drill, CAPSTONE), lacking(Drill("a", "", play), CAPSTONE))


@pytest.mark.parametrize("name", ["orders", "analytics", "trading"])
def test_a_second_release_is_drilled_where_no_pool_has_a_volume_and_a_canary_where_commands_are_run(name: str) -> None:
    capstone = load(name)

    barred = [lacking(known(name)[drill], capstone) is not None for drill in ("blue-green", "canary")]

    assert [bool(folders(Names(name))), all(target.flush for target in capstone.targets)] == barred


@pytest.mark.parametrize(
    ("drill", "where"),
    [
        (Drill("a", "", play), ("local", "kubernetes")),
        (Drill("b", "", on_laptop=play), ("local",)),
        (Drill("c", "", on_cluster=play), ("kubernetes",)),
        (Drill("d", "", play, lacks_here=lambda: "no right to mount"), ("kubernetes",)),
        (Drill("e", "", on_laptop=play, lacks_here=lambda: "no right to mount"), ()),
    ],
    ids=["shared", "on a laptop", "in a cluster", "not on this laptop", "nowhere here"],
)
def test_a_drill_says_where_it_can_be_played(drill: Drill, where: tuple[str, ...]) -> None:
    assert where == drill.runtimes
