"""Tries a version on a share of a pool: judged by the canary's own error rate, it is promoted to every pool, or withdrawn.

Whatever ends the trial without a judgement withdraws the canary as well: an interruption, a pod that never gets ready, a time that was
too short. Only a conductor that is killed leaves it in place; then the same call tries anew.
"""

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conductor.cluster import blue_green, canary_analysis
from conductor.cluster.blue_green import Tell, Values
from conductor.cluster.canary_analysis import Tally, Window
from conductor.cluster.releases import ClusterReleases, alive, name_of, restarts_of, role_of
from conductor.errors import ClusterFailed, Refused
from conductor.waiting import until

LOOK_SECONDS = 2.0
TOLD_SECONDS = 10.0

_METRICS = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9100/metrics', timeout=5).read().decode())"


@dataclass(frozen=True, slots=True)
class Trial:
    """Which pool tries which version with how many pods, and how it is judged: after `enough` commands at the soonest, in time."""

    pool: str
    tag: str
    replicas: int = 1
    enough: int = 200
    within_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; `why` is a sentence."""

    promoted: bool
    why: str


def hold(releases: ClusterReleases, trial: Trial, tell: Tell) -> Outcome:
    """Carry it out to its end. Raises Refused before anything is changed, ClusterFailed when not even a withdrawal was possible."""
    release = blue_green.working(releases)
    found = releases.installed(release)
    assert found is not None, f"{release} works, and is not there"
    _refuse(releases, release, trial, found.tag)
    before = without_canary(found.values, trial.pool)
    promoted = False
    try:
        outcome = _try(releases, release, trial, with_canary(before, trial), tell)
        if outcome.promoted:
            tell(f"promoted: workers get {trial.tag}")
            image = blue_green.of_version(before, trial.tag, producers=found.tag)
            releases.install(release, {**before, "image": image}, migrate=True)
            tell(f"every pool gets {trial.tag}")
            releases.install(release, {**before, "image": blue_green.of_version(before, trial.tag)}, migrate=False)
            promoted = True
        return outcome
    finally:
        if not promoted:
            tell(f"withdrawn: {trial.pool} runs {found.tag} alone")
            releases.install(release, before, migrate=False)
            releases.await_gone(release, lambda pod: _track(pod) == "canary")


def with_canary(values: Values, trial: Trial) -> dict[str, Any]:
    """The release's values with the canary in them."""
    pools = dict(values.get("pools") or {})
    pools[trial.pool] = {**(pools.get(trial.pool) or {}), "canary": {"tag": trial.tag, "replicas": trial.replicas}}
    return {**values, "pools": pools}


def without_canary(values: Values, pool: str) -> dict[str, Any]:
    """The same without, and without a trace."""
    pools = {name: dict(own or {}) for name, own in (values.get("pools") or {}).items()}
    if pools.get(pool, {}).pop("canary", None) is not None and not pools[pool]:
        del pools[pool]
    return {**{key: value for key, value in values.items() if key != "pools"}, **({"pools": pools} if pools else {})}


def _refuse(releases: ClusterReleases, release: str, trial: Trial, tag: str) -> None:
    pods = releases.pods(release)
    workers = sorted({_pool(pod) for pod in pods if role_of(pod) == "worker"})
    if trial.pool not in workers:
        raise Refused(f'"{trial.pool}" is no pool of workers of {release}; there are {", ".join(workers)}')
    if trial.tag == tag:
        raise Refused(f"{trial.pool} runs {tag} already")


def _try(releases: ClusterReleases, release: str, trial: Trial, values: Values, tell: Tell) -> Outcome:
    tell(f"canary of {trial.pool}: {trial.replicas} with {trial.tag}, beside the others")
    try:
        releases.install(release, values, migrate=False)
    except ClusterFailed as error:
        return Outcome(False, f"the canary did not get ready: {error}")
    judgement: canary_analysis.Judgement = "undecided"
    mine, others = _Track(releases, release, trial.pool, "canary"), _Track(releases, release, trial.pool, "stable")
    told_at = time.monotonic()

    def decided() -> bool:
        nonlocal judgement, told_at
        mine.look()
        others.look()
        # On a node that is short of everything the others are restarted, too.
        broken = mine.restarts > others.restarts
        judgement = "worse" if broken else canary_analysis.judge(mine.commands, others.commands, trial.enough)
        if time.monotonic() - told_at > TOLD_SECONDS:
            told_at = time.monotonic()
            tell(f"failed: canary {mine.commands}, the others {others.commands}")
        return judgement != "undecided"

    until(decided, within_seconds=trial.within_seconds, every_seconds=LOOK_SECONDS)
    counted = f"of the canary's commands {mine.commands} failed, of the others' {others.commands}"
    if mine.restarts > others.restarts:
        return Outcome(False, f"the canary's container was restarted; {counted}")
    if judgement == "undecided":
        within = f"within {trial.within_seconds:.0f} s and {trial.enough} commands each"
        return Outcome(False, f"no judgement {within}: {counted}")
    tell(counted)
    return Outcome(judgement == "sound", f"{'not worse' if judgement == 'sound' else 'worse'}: {counted}")


class _Track:
    """One side of the trial: what its pods did, and how often they were restarted, since the first look."""

    def __init__(self, releases: ClusterReleases, release: str, pool: str, name: str) -> None:
        self._releases, self._release, self._pool, self._name = releases, release, pool, name
        self._work, self._lives = Window(), Window()
        self.commands = Tally()
        self.restarts = 0

    def look(self) -> None:
        """Look at the pods that are there; one that is just going away tells nothing."""
        found = self._releases.pods(self._release, component=self._pool)
        pods = [pod for pod in found if _track(pod) == self._name and alive(pod)]
        self.restarts = self._lives.look({name_of(pod): Tally(restarts_of(pod)) for pod in pods}).ended
        tallies = {}
        for pod in pods:
            with contextlib.suppress(ClusterFailed):
                said = self._releases.kubectl("exec", name_of(pod), "--", "python", "-S", "-c", _METRICS)
                tallies[name_of(pod)] = canary_analysis.tally(said)
        self.commands = self._work.look(tallies)


def _track(pod: Mapping[str, Any]) -> str | None:
    track: str | None = pod["metadata"]["labels"].get("track")
    return track


def _pool(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"]["labels"]["app.kubernetes.io/component"])
