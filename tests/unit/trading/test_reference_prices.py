"""An engine is told what the market says now: each price once, none that is old, and what failed again."""

import pytest

from trading.domain.market_data import LastPrices
from trading.domain.terms import Input
from trading.usecases.reference_prices import FRESH_US, ReferencePrices

NOW_US = 10**15


def test_fresh_prices_of_listed_symbols_are_told_once():
    prices = {
        1: LastPrices(NOW_US, 100),
        2: LastPrices(NOW_US - FRESH_US - 1, 200),
        3: LastPrices(NOW_US, 0, 1, 1, 2, 1),
        4: LastPrices(NOW_US, 400),
    }
    said = []
    reference = ReferencePrices(lambda: prices, lambda *given: said.append(given))

    assert [1, 0] == [reference.tell([1, 2, 3], NOW_US) for _ in range(2)]
    prices[1] = LastPrices(NOW_US, 101)
    assert 1 == reference.tell([1, 2, 3, 5], NOW_US)
    assert [(Input.MARKET_DATA, 1, 100), (Input.MARKET_DATA, 1, 101)] == said


def test_what_was_not_told_is_told_the_next_time():
    answers = iter([ConnectionRefusedError(), None, None])
    said = []

    def say(*given):
        said.append(given)
        if error := next(answers):
            raise error

    reference = ReferencePrices(lambda: {1: LastPrices(NOW_US, 100)}, say)
    with pytest.raises(ConnectionRefusedError):
        reference.tell([1], NOW_US)

    assert [1, 0] == [reference.tell([1], NOW_US), reference.tell([1], NOW_US)]
    assert 2 == len(said)
