"""The exporter's text format."""

from conductor.exporter import Exporter, _gauge


def test_a_gauge_has_a_line_for_each_of_its_rows() -> None:
    text = _gauge("orders_orders", "Orders by state", ("state",), [("paid", 2), ("failed", 1)])

    assert ['orders_orders{state="paid"} 2.0', 'orders_orders{state="failed"} 1.0'] == text.splitlines()[2:]


def test_a_gauge_without_labels_has_no_braces() -> None:
    assert "orders_needing_attention 0.0" == _gauge("orders_needing_attention", "Says", (), [(0,)]).splitlines()[2]


def test_a_label_may_hold_anything() -> None:
    text = _gauge("orders_parked", "Says", ("reason",), [('a "b"\\\n', 1)])

    assert 'orders_parked{reason="a \\"b\\"\\\\\\n"} 1.0' == text.splitlines()[2]


def test_a_database_that_does_not_answer_is_told_without_stale_numbers() -> None:
    text = Exporter("postgresql://nobody@127.0.0.1:1/none").text()

    assert "orders_database_up 0.0\n" in text
    assert "orders_orders" not in text
