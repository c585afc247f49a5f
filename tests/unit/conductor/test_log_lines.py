"""The lines about one order, out of the logs of all processes."""

import json
from pathlib import Path

from conductor.laptop import log_lines

ORDER = "0f0e0d0c-0000-5000-8000-000000000001"


def line(second: int, event: str, **fields: str) -> str:
    return (
        json.dumps({"event": event, "level": "info", "timestamp": f"2026-01-02T03:04:{second:02}.5Z", **fields}) + "\n"
    )


def test_lines_that_name_an_order_or_its_trace_come_by_their_time(tmp_path: Path) -> None:
    (tmp_path / "orders.saga-g1-0.log").write_text(
        line(3, "later", order_id=ORDER)
        + line(1, "of its trace", trace_id=ORDER.replace("-", ""))
        + line(2, "another's", order_id="x")
    )
    (tmp_path / "orders.relay-g1-0.log").write_text(
        f"no object {ORDER}\n" + line(2, "between", why=ORDER) + '{"half": "' + ORDER
    )

    found = log_lines.about(tmp_path, ORDER)

    assert ["of its trace", "between", "later"] == [one.fields["event"] for one in found]
    assert ["orders.saga-g1-0", "orders.relay-g1-0", "orders.saga-g1-0"] == [one.process for one in found]


def test_lines_of_a_cluster_are_found_the_same_way() -> None:
    told = [("pod-a", line(2, "later", order_id=ORDER)), ("pod-b", line(1, "of its trace", trace_id=ORDER.replace("-", ""))),
            ("pod-b", line(3, "another's", order_id="x")), ("pod-b", f"no object {ORDER}")]  # fmt: skip

    found = log_lines.among(told, ORDER)

    assert [("pod-b", "of its trace"), ("pod-a", "later")] == [(one.process, one.fields["event"]) for one in found]


def test_a_line_is_shown_without_what_every_line_has(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(line(1, "command_retried", order_id=ORDER, why="busy", pool="p", trace_id="t"))

    (shown,) = map(str, log_lines.about(tmp_path, ORDER))

    assert ["03:04:01.5Z", "a", "info", "command_retried", f"order_id={ORDER}", "why=busy"] == shown.split()
