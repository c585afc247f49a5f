"""The switch of blue and green, over releases in memory: wherever it is broken off, somebody consumes, and it goes on or back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.cluster import blue_green
from conductor.cluster.blue_green import Colour, Installed, Values
from conductor.cluster.names import Names
from conductor.errors import ClusterFailed, Refused

OWN = Names("orders")
RELEASE, GREEN = OWN.release, OWN.green
BLUE = {"image": {"tag": "1"}, "broker": "rabbitmq", "api": {"ingress": {"host": "orders.example"}}}


@dataclass
class Memory:
    """Releases in memory, which look at themselves after every change; `left` changes may be made, then the line is cut."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    consumes: dict[str, bool] = field(default_factory=dict)
    door: str = RELEASE
    migrated: list[str] = field(default_factory=list)
    changes: int = 0
    left: int = 1000
    own: Names = OWN

    @classmethod
    def with_blue(cls) -> "Memory":
        return cls({RELEASE: dict(BLUE)}, {RELEASE: True})

    def beats(self) -> list[str]:
        return [name for name, values in self.values.items() if not values.get("consumersPaused", False)]

    def installed(self, release: str) -> Installed | None:
        return Installed(dict(self.values[release])) if release in self.values else None

    def install(self, release: str, values: Values, *, migrate: bool) -> None:
        def change() -> None:
            tag = self.values.get(release, {}).get("image")
            self.values[release] = dict(values)
            if values.get("image") != tag or release not in self.consumes:
                self.consumes[release] = not values.get("consumersPaused", False)
            if migrate:
                self.migrated.append(release)
            if release == RELEASE:
                self.door = values.get("api", {}).get("release") or RELEASE

        self._changed(change)

    def remove(self, release: str) -> None:
        def change() -> None:
            del self.values[release], self.consumes[release]

        self._changed(change)

    def resume(self, release: str) -> None:
        if not self.consumes[release]:
            self._changed(lambda: self.consumes.update({release: True}))

    def stand_by(self, release: str) -> None:
        if self.consumes[release]:
            self._changed(lambda: self.consumes.update({release: False}))

    def await_ready(self, release: str) -> None:
        assert release in self.values

    def await_no_beat(self, release: str) -> None:
        assert release not in self.beats()

    def await_api(self, release: str) -> None:
        assert self.door == release

    def restart_a_worker(self, release: str) -> None:
        self.consumes[release] = not self.values[release].get("consumersPaused", False)

    def _changed(self, change: Callable[[], object]) -> None:
        if self.left == 0:
            raise ClusterFailed("the line was cut")
        self.left -= 1
        self.changes += 1
        change()
        assert any(self.consumes.values()), "no queue has a consumer"
        assert len(self.beats()) <= 1, "two beats"
        assert self.door in self.values, "the door leads nowhere"


def switch(releases: Memory, to: Colour, tag: str | None = None, *, alone: bool = False) -> list[str]:
    told: list[str] = []
    blue_green.switch(releases, to, tag, told.append, alone=alone)
    return told


def cut(releases: Memory, after: int, to: Colour, tag: str | None = None, *, alone: bool = False) -> None:
    releases.left = after
    try:
        switch(releases, to, tag, alone=alone)
    except ClusterFailed:
        pass
    finally:
        releases.left = 1000


def works(releases: Memory, to: str) -> bool:
    consuming = [name for name, does in releases.consumes.items() if does]
    return (consuming, releases.beats(), releases.door) == ([to], [to], to)


def test_a_capstone_with_a_volume_of_its_own_has_no_second_release() -> None:
    releases = Memory({"trading": dict(BLUE)}, {"trading": True}, own=Names("trading"))

    with pytest.raises(Refused, match="its pool engine"):
        blue_green.switch(releases, "green", "2", print)
    assert 0 == releases.changes


def test_green_takes_over_and_blue_stands_by() -> None:
    releases = Memory.with_blue()

    switch(releases, "green", "2")

    assert works(releases, GREEN)
    assert releases.values[RELEASE]["consumersPaused"] is True
    assert "2" == releases.values[GREEN]["image"]["tag"]


def test_it_goes_back_by_the_same_command_with_the_version_that_blue_had() -> None:
    releases = Memory.with_blue()
    switch(releases, "green", "2")

    switch(releases, "blue")

    assert works(releases, RELEASE)
    assert ("1", "2") == (releases.values[RELEASE]["image"]["tag"], releases.values[GREEN]["image"]["tag"])


def test_blue_alone_takes_green_away() -> None:
    releases = Memory.with_blue()
    switch(releases, "green", "2")

    switch(releases, "blue", alone=True)

    assert works(releases, RELEASE)
    assert [RELEASE] == list(releases.values)


def test_the_next_version_goes_to_the_release_that_stands_by() -> None:
    releases = Memory.with_blue()
    switch(releases, "green", "2")

    switch(releases, "blue", "3")

    assert works(releases, RELEASE)
    assert "3" == releases.values[RELEASE]["image"]["tag"]


def test_a_deploy_that_stopped_halfway_is_no_part_of_what_gets_ready() -> None:
    releases = Memory.with_blue()
    releases.values[RELEASE]["image"] = {"tag": "1", "producersTag": "0"}

    switch(releases, "green", "2")

    assert {"tag": "2"} == releases.values[GREEN]["image"]


def test_a_second_time_changes_nothing() -> None:
    releases = Memory.with_blue()
    switch(releases, "green", "2")
    before = releases.changes

    switch(releases, "green", "2")
    switch(releases, "green")

    assert before == releases.changes


def test_only_a_new_version_migrates() -> None:
    releases = Memory.with_blue()

    switch(releases, "green", "2")
    switch(releases, "blue")

    assert [GREEN] == releases.migrated


def test_green_has_blues_values_and_no_door_of_its_own() -> None:
    releases = Memory.with_blue()

    switch(releases, "green", "2")

    assert {"image", "broker", "consumersPaused"} == set(releases.values[GREEN])
    assert {"ingress": {"host": "orders.example"}, "release": GREEN} == releases.values[RELEASE]["api"]


@given(after=st.integers(0, 9), restarted=st.lists(st.sampled_from([RELEASE, GREEN]), max_size=1))
def test_broken_off_anywhere_the_same_call_goes_on(after: int, restarted: list[str]) -> None:
    releases = Memory.with_blue()
    cut(releases, after, "green", "2")
    for release in set(restarted) & set(releases.values):
        releases.restart_a_worker(release)
        assert any(releases.consumes.values()), "one worker's restart left the queues alone"

    switch(releases, "green", "2")

    assert works(releases, GREEN)


@given(after=st.integers(0, 9), again=st.integers(0, 9), alone=st.booleans())
def test_broken_off_anywhere_it_goes_back(after: int, again: int, alone: bool) -> None:
    releases = Memory.with_blue()
    cut(releases, after, "green", "2")
    cut(releases, again, "blue", alone=alone)

    switch(releases, "blue", alone=alone)

    assert works(releases, RELEASE)
    assert alone is (GREEN not in releases.values) or after == 0


def test_a_release_that_helm_did_not_finish_is_installed_again() -> None:
    class Failed(Memory):
        def installed(self, release: str) -> Installed | None:
            found = super().installed(release)
            return Installed(found.values, whole=release not in self.migrated) if found and release == GREEN else found

    releases = Failed.with_blue()
    releases.values[GREEN] = {**blue_green.beside(BLUE), "image": {"tag": "2"}, "consumersPaused": True}
    releases.consumes[GREEN] = False
    releases.migrated.append(GREEN)

    releases.left = 0
    with pytest.raises(ClusterFailed, match="the line was cut"):
        switch(releases, "green", "2")


@pytest.mark.parametrize(
    ("before", "asked", "why"),
    [
        ([], ("green", "2"), "there is no release orders"),
        ([], ("blue", None), "there is no release orders"),
        ([], ("green", None), "--tag"),
        ([("green", "2")], ("green", "3"), "green works, with 2; 3 goes to the other one"),
        ([], ("blue", "3"), "blue works, with 1; 3 goes to the other one"),
    ],
    ids=["nothing for green", "nothing for blue", "no version", "green works", "blue works"],
)
def test_what_makes_no_sense_is_refused_before_anything_changes(
    before: list[tuple[Colour, str]], asked: tuple[Colour, str | None], why: str
) -> None:
    releases = Memory() if "no release" in why else Memory.with_blue()
    for to, tag in before:
        switch(releases, to, tag)
    changes = releases.changes

    with pytest.raises(Refused, match=why):
        switch(releases, *asked)

    assert changes == releases.changes


def test_the_release_with_the_door_cannot_be_taken_away() -> None:
    with pytest.raises(Refused, match="its Service takes the requests"):
        switch(Memory.with_blue(), "green", "2", alone=True)


def test_a_deploy_is_refused_while_blue_stands_by() -> None:
    releases = Memory.with_blue()
    blue_green.refuse_deploy(releases)
    switch(releases, "green", "2")

    with pytest.raises(Refused, match="orders-green works and orders stands by"):
        blue_green.refuse_deploy(releases)


def test_who_works_is_told_also_in_between() -> None:
    releases = Memory.with_blue()
    assert RELEASE == blue_green.working(releases)
    switch(releases, "green", "2")

    assert GREEN == blue_green.working(releases)


def test_a_colour_is_blue_or_green() -> None:
    with pytest.raises(Refused, match='"red" is neither blue nor green'):
        blue_green.colour("red")
