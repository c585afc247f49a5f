"""The order in which a version comes to the pools: who works first, and then who only sends work (API, relay, beat).

So no worker gets a command that only the new API knows. Workers send each other commands too, in whatever order they are rolled; there the
rule stays that a version sends nothing which the one before it does not know, and what breaks it is parked.
"""

from conductor.cluster.helm import tag_of, upgrade
from conductor.cluster.installation import Tell
from conductor.cluster.names import Names


def roll_out(namespace: str, own: Names, tag: str, tell: Tell, *, back: bool = False, within_seconds: int) -> None:
    """Bring the release to another version in two upgrades; on the way `back` to an older one in the other order."""
    before = tag_of(namespace, own.release)
    in_two = before not in ("", tag)
    if in_two:
        first, workers, producers = ("API, relay and beat", before, tag) if back else ("workers", tag, before)
        tell(f"{first} get {tag}")
        told = (f"image.tag={workers}", f"image.producersTag={producers}")
        upgrade(namespace, own, *told, within_seconds=within_seconds)
    tell(f"every pool gets {tag}")
    upgrade(namespace, own, f"image.tag={tag}", "image.producersTag=", within_seconds=within_seconds, migrated=in_two)
