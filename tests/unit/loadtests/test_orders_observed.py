"""What observing costs is told against the plain run of the same turn."""

from loadtests.orders.observed import WAYS, Run, costs
from loadtests.orders.report import Measured


def run(side: str, cpu_seconds: float) -> Run:
    return Run(Measured(side, 1000, 10.0, 1.0, {"saga": cpu_seconds}, {}, {}), spans=3.0)


def test_each_way_is_compared_with_the_plain_run_of_its_own_turn() -> None:
    turns = [10.0, 20.0, 10.0]  # the machine was busy during the second
    results = [run(way, plain * (1 + number / 10)) for plain in turns for number, way in enumerate(WAYS)]

    assert [0.0, 10.0, 20.0, 30.0, 40.0] == [found["more_percent"] for found in costs(results).values()]
    assert [10000, 20000, 10000] == costs(results)["plain"]["cpu_us_per_order"]
