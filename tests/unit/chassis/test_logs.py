"""Log lines: their form, and what never stands in them."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from chassis import logs
from chassis.settings import ServiceSettings


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Configures logs as asked, and gives the lines on stderr."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)

    def configure(**values: Any) -> Any:
        logs.configure(
            ServiceSettings(database_url="postgresql+psycopg://h/d", broker_url="amqp://h/v", pool="till", **values)
        )
        return lambda: capsys.readouterr().err.splitlines()

    yield configure
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    logging.captureWarnings(False)


def test_a_line_is_an_object_with_time_level_and_pool(written: Any) -> None:
    lines = written()

    structlog.get_logger("x").info("sold", sku="LAMP")
    line = json.loads(lines()[0])

    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "sold", "sku": "LAMP", "level": "info", "pool": "till"}


def test_lines_of_libraries_have_the_same_form(written: Any) -> None:
    lines = written()

    logging.getLogger("library").warning("low on %s", "ink")
    line = json.loads(lines()[0])

    assert (line["event"], line["level"], line["pool"]) == ("low on ink", "warning", "till")


def test_an_exception_is_one_line(written: Any) -> None:
    lines = written()

    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger("library").exception("failed")

    found = lines()
    assert len(found) == 1
    assert "ValueError: boom" in json.loads(found[0])["exception"]


def test_less_severe_lines_are_left_out(written: Any) -> None:
    lines = written(log_level="WARNING")

    structlog.get_logger("x").info("chatter")
    logging.getLogger("library").info("chatter")

    assert lines() == []


def test_for_eyes_a_line_is_text(written: Any) -> None:
    lines = written(log_format="console")

    structlog.get_logger("x").info("sold", sku="LAMP")

    line = lines()[0]
    assert "sold" in line
    assert "sku" in line


@pytest.mark.parametrize("field", sorted(logs.PERSONAL))
def test_personal_data_is_removed_at_every_depth(field: str) -> None:
    event = {field: "Ann", "order": {field: "Ann", "lines": [{field: "Ann"}]}, "sku": "LAMP"}

    cleaned = logs.without_personal_data(None, "info", event)

    assert "Ann" not in str(cleaned)
    assert cleaned["sku"] == "LAMP"


def test_personal_data_is_removed_from_what_is_written(written: Any) -> None:
    lines = written()

    structlog.get_logger("x").info("taken", order={"email": "ann@example.org", "id": 7})

    assert json.loads(lines()[0])["order"] == {"email": "[removed]", "id": 7}
