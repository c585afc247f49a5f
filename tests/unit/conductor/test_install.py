"""What a deploy leaves where it is: objects of the wanted overlay, and those that a capstone which is not deployed now may stand on."""

from conductor.cluster import install
from conductor.cluster.install import Installation
from conductor.cluster.names import OVERLAYS, Names

ANALYTICS = Names("analytics")
SHARDED = ANALYTICS.platform_of("sharded")


def test_a_deploy_of_another_capstone_leaves_the_counters_of_every_overlay() -> None:
    found = install.sources(Installation(overlay="ha"), ["orders"])

    assert {OVERLAYS / "ha", ANALYTICS.own_platform, SHARDED} <= {*found}


def test_a_deploy_of_the_analytics_leaves_the_counters_of_its_overlay_alone() -> None:
    found = {overlay: install.sources(Installation(overlay=overlay), ["analytics"]) for overlay in ("kind", "sharded")}

    assert [ANALYTICS.own_platform in found["kind"], SHARDED in found["kind"]] == [True, False]
    assert [ANALYTICS.own_platform in found["sharded"], SHARDED in found["sharded"]] == [False, True]
