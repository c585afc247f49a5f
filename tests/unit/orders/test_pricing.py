"""Prices are fixed at acceptance, and a request that can never become an order says which field is wrong."""

import pytest

from orders.domain.errors import InvalidOrder, StockExhausted, UnknownProduct
from orders.domain.order import MAX_LINES, MAX_QUANTITY, MAX_TOTAL_MINOR, Line, LineRequest, Product, pieces, price

CATALOGUE = {
    "LAMP": Product("LAMP", "Lamp", 1995, "EUR"),
    "MUG": Product("MUG", "Mug", 450, "EUR"),
    "YACHT": Product("YACHT", "Yacht", MAX_TOTAL_MINOR, "EUR"),
    "PIE": Product("PIE", "Pie", 300, "GBP"),
}


def test_a_line_costs_its_unit_price_times_its_pieces() -> None:
    lines, total, currency = price([LineRequest("LAMP", 2), LineRequest("MUG", 1)], CATALOGUE)

    assert (Line("LAMP", 2, 1995, 3990), Line("MUG", 1, 450, 450)) == lines
    assert (4440, "EUR") == (total, currency)


def test_an_overridden_line_has_no_unit_price() -> None:
    lines, total, _ = price([LineRequest("LAMP", 3, amount_minor=1000)], CATALOGUE)

    assert (Line("LAMP", 3, None, 1000),) == lines
    assert 1000 == total


@pytest.mark.parametrize("quantity", [1, MAX_QUANTITY])
def test_quantities_up_to_the_limit_are_taken(quantity: int) -> None:
    assert quantity == price([LineRequest("MUG", quantity)], CATALOGUE)[0][0].quantity


def test_a_hundred_lines_are_taken() -> None:
    assert MAX_LINES == len(price([LineRequest("MUG", 1)] * MAX_LINES, CATALOGUE)[0])


def test_a_total_at_the_limit_is_taken() -> None:
    assert MAX_TOTAL_MINOR == price([LineRequest("YACHT", 1)], CATALOGUE)[1]


@pytest.mark.parametrize(
    ("lines", "field", "value"),
    [
        ([], "lines", 0),
        ([LineRequest("MUG", 1)] * (MAX_LINES + 1), "lines", MAX_LINES + 1),
        ([LineRequest("MUG", 1), LineRequest("MUG", 0)], "lines[1].quantity", 0),
        ([LineRequest("MUG", -1)], "lines[0].quantity", -1),
        ([LineRequest("MUG", MAX_QUANTITY + 1)], "lines[0].quantity", MAX_QUANTITY + 1),
        ([LineRequest("MUG", 1, amount_minor=0)], "lines[0].amount_minor", 0),
        ([LineRequest("MUG", 1, amount_minor=-5)], "lines[0].amount_minor", -5),
        ([LineRequest("MUG", 1), LineRequest("PIE", 1)], "lines", "EUR+GBP"),
        ([LineRequest("YACHT", 2)], "lines", 2 * MAX_TOTAL_MINOR),
    ],
)
def test_what_can_never_be_an_order_is_refused_by_field_and_value(
    lines: list[LineRequest], field: str, value: object
) -> None:
    with pytest.raises(InvalidOrder) as refused:
        price(lines, CATALOGUE)

    assert (field, value) == (refused.value.field, refused.value.value)


def test_an_unknown_product_is_named() -> None:
    with pytest.raises(UnknownProduct, match="no such product, got 'CHAIR'"):
        price([LineRequest("LAMP", 1), LineRequest("CHAIR", 1)], CATALOGUE)


def test_pieces_of_the_same_product_are_added_up() -> None:
    assert {"MUG": 5, "LAMP": 1} == pieces([Line("MUG", 2, 1, 2), Line("LAMP", 1, 1, 1), Line("MUG", 3, 1, 3)])


def test_exhausted_stock_says_how_much_there_was() -> None:
    assert 'stock of "LAMP" is 2, asked for 3' == str(StockExhausted("LAMP", 2, 3))
