"""What watching takes of an order's way."""

from loadtests.pairs import PLAIN
from loadtests.trading.observed import WATCHED, shares


def test_the_share_is_of_what_gateway_and_engine_take() -> None:
    alone = {PLAIN: {"us_by_turn": [4.0, 8.0, 4.0]}, WATCHED: {"us_by_turn": [4.3, 8.9, 4.2]}}
    together = {PLAIN: {"us_by_turn": [3.0, 6.0, 3.0]}, WATCHED: {"us_by_turn": [3.1, 6.3, 3.0]}}

    path = {"one in flight": {PLAIN: {"us": 80.0}}, "many in flight": {PLAIN: {"us": 40.0}}}

    assert {"one in flight": 0.5, "many in flight": 0.5} == shares({1: alone, 3: together}, path, add_ns=50.0)
