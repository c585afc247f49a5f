"""Moves a capstone's work from one release to the other beside it, and back. Pure over `Releases`.

Blue is the release that was there first, and its Service takes every request; green is installed beside it. The steps, each of which does
nothing where it was done before, so that the same call again goes on where an earlier one was broken off:

1. the new one is installed, or brought to its version, with its consumers paused and without a beat, and is ready;
2. its workers consume, as the old one's do: no queue is ever without a consumer;
3. the old one is written down as standing by, which ends its beat: one of its workers that is restarted takes no more work;
4. the new one is written down as working, which starts its beat: never two at a time;
5. the old one's workers take no more work, and work off what they hold;
6. the Service leads to the new one's API, so that what a newer API asks for finds newer workers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast, get_args

from conductor.cluster import pool_values
from conductor.cluster.names import Names
from conductor.errors import Refused

Colour = Literal["blue", "green"]
Values = Mapping[str, Any]
Tell = Callable[[str], None]

DEFAULT_TAG = "dev"


@dataclass(frozen=True, slots=True)
class Installed:
    """A release: what was said of it beyond the chart's own values, and whether helm carried that out to the end."""

    values: Values
    whole: bool = True

    @property
    def works(self) -> bool:
        """As written down; what its workers were told by remote control is another matter."""
        return not self.values.get("consumersPaused", False)

    @property
    def tag(self) -> str:
        """Of its image."""
        return str(self.values.get("image", {}).get("tag", DEFAULT_TAG))


class Releases(Protocol):
    """The releases of one capstone in one namespace. Whatever waits raises ClusterFailed, naming what it waited for."""

    @property
    def own(self) -> Names:
        """The names that the capstone has here."""

    def installed(self, release: str) -> Installed | None:
        """None when there is none."""

    def install(self, release: str, values: Values, *, migrate: bool) -> None:
        """Make the release what these values say, nothing but the chart's own beside them; returns when it is ready."""

    def remove(self, release: str) -> None:
        """Take it away; its pods end as in a deploy."""

    def await_ready(self, release: str) -> None:
        """Return when every pool of it is ready."""

    def resume(self, release: str) -> None:
        """Have every worker of it take work; returns when each does."""

    def stand_by(self, release: str) -> None:
        """Have no worker of it take any more; returns when each has worked off what it held."""

    def await_no_beat(self, release: str) -> None:
        """Return when no beat of it is left."""

    def await_api(self, release: str) -> None:
        """Return when the API's Service leads to this release's pods and to no other."""


def colour(name: str) -> Colour:
    """Refused names those there are."""
    if name not in get_args(Colour):
        raise Refused(f'"{name}" is neither blue nor green')
    return cast("Colour", name)


def working(releases: Releases) -> str:
    """The release that works; blue when both do, in the middle of a switch. Refused when nothing is installed."""
    own = releases.own
    blue, green = (releases.installed(name) for name in (own.release, own.green))
    if blue is None:
        raise Refused(f"there is no release {own.release}: `capstone cluster deploy` makes it")
    return own.green if green is not None and green.works and not blue.works else own.release


def refuse_deploy(releases: Releases) -> None:
    """Refused when blue stands by: a deploy makes it work, beside green and with a second beat."""
    own = releases.own
    blue = releases.installed(own.release)
    if blue is not None and not blue.works:
        raise Refused(
            f"{own.green} works and {own.release} stands by: `cluster switch blue` first, with --tag for another version"
        )


def switch(releases: Releases, to: Colour, tag: str | None, tell: Tell, *, alone: bool = False) -> None:
    """Have this colour do the work, in the version `tag` or the one it has; `alone` takes the other one away in the end.

    Raises Refused before anything is changed, ClusterFailed in between: then the same call goes on, and one with the other colour back.
    """
    own = releases.own
    new, old = (own.release, own.green)[:: 1 if to == "blue" else -1]
    here, there = releases.installed(new), releases.installed(old)
    _refuse(own, to, tag, here, there, alone=alone)
    _prepare(releases, new, tag, here, there, tell)
    if there is not None:
        tell(f"{new}: consumes, beside {old}")
        releases.resume(new)
        tell(f"{old}: its beat ends")
        _say(releases, old, {"consumersPaused": True})
        releases.await_no_beat(old)
    tell(f"{new}: has the beat")
    _say(releases, new, {"consumersPaused": False})
    releases.resume(new)
    if there is not None:
        tell(f"{old}: takes no more work, and works off what it holds")
        releases.stand_by(old)
    tell(f"requests go to {new}")
    _lead_api_to(releases, new)
    if alone and there is not None:
        tell(f"{old}: taken away")
        releases.remove(old)


def beside(values: Values) -> dict[str, Any]:
    """What a second release is told: all that the first one is, but for how requests come to the API: by the first one's Service."""
    return {key: value for key, value in values.items() if key != "api"}


def of_version(values: Values, tag: str, *, producers: str | None = None) -> dict[str, Any]:
    """The image's values for every pool to run this version, or for all but `producers`: see conductor.cluster.version_upgrade."""
    image = {key: value for key, value in values.get("image", {}).items() if key != "producersTag"}
    return {**image, "tag": tag, **({"producersTag": producers} if producers else {})}


def _refuse(
    own: Names, to: Colour, tag: str | None, here: Installed | None, there: Installed | None, *, alone: bool
) -> None:
    if (here if to == "blue" else there) is None:
        raise Refused(f"there is no release {own.release}: `capstone cluster deploy` makes it")
    if to == "green" and (kept := ", ".join(pool_values.folders(own))):
        raise Refused(f"{own.capstone} has no second release: what its pool {kept} keeps on its volume is blue's alone")
    if alone and to == "green":
        raise Refused(f"{own.release} cannot be taken away: its Service takes the requests of the API")
    if here is None and tag is None:
        raise Refused("--tag: which version is to run in the second release?")
    if here is not None and here.works and tag not in (None, here.tag):
        raise Refused(
            f"{to} works, with {here.tag}; {tag} goes to the other one (`cluster switch`), or over this one as a deploy"
        )


def _prepare(
    releases: Releases, new: str, tag: str | None, here: Installed | None, there: Installed | None, tell: Tell
) -> None:
    if here is not None and here.works:
        return
    source = here.values if here is not None else beside(there.values if there is not None else {})
    image = of_version(source, tag or (here.tag if here is not None else DEFAULT_TAG))
    wanted = {**source, "image": image, "consumersPaused": True}
    if here is None or not here.whole or wanted != here.values:
        tell(f"{new}: gets ready with {image['tag']}, its consumers paused")
        releases.install(new, wanted, migrate=True)
    else:
        tell(f"{new}: stands by with {image['tag']}")
        releases.await_ready(new)


def _say(releases: Releases, release: str, change: Values) -> None:
    """Write it down of the release, and nothing else, unless that is how it is; rolls no pod."""
    found = releases.installed(release)
    if found is None:
        raise Refused(f"the release {release} was taken away meanwhile")
    wanted = {**found.values, **change}
    if wanted != found.values or not found.whole:
        releases.install(release, wanted, migrate=False)


def _lead_api_to(releases: Releases, new: str) -> None:
    own = releases.own
    blue = releases.installed(own.release)
    api = blue.values.get("api", {}) if blue is not None else {}
    led = "" if new == own.release else new
    if api.get("release", "") != led:
        _say(releases, own.release, {"api": {**api, "release": led}})
    releases.await_api(new)
