"""Log lines: their form, and what never stands in them."""

import contextvars
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import structlog

from chassis import logs, personal, tracing
from chassis.settings import ServiceSettings
from fakes.recorded_spans import recorded_spans


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Configures logs as asked, and gives the lines on stderr."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)

    def configure(**values: Any) -> Any:
        logs.configure(
            ServiceSettings(
                database_url="postgresql+psycopg://h/d",
                broker_url="amqp://h/v",
                pool="till",
                process_name="till-0",
                service_version="v1",
                **values,
            ),
            "shop",
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
    where = {"service": "shop", "version": "v1", "pool": "till", "process": "till-0"}
    assert line == {"event": "sold", "sku": "LAMP", "level": "info", **where}


def test_a_call_to_the_outside_is_no_line_unless_it_is_worth_a_warning(written: Any) -> None:
    lines = written()

    logging.getLogger("httpx").info("HTTP Request: POST /charges")
    logging.getLogger("httpx").warning("odd")

    assert ["odd"] == [json.loads(line)["event"] for line in lines()]


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
    try:
        raise ValueError("nobody is called ann@customer.example")
    except ValueError:
        logging.getLogger("library").exception("failed")

    line, *failed = lines()
    assert "sold" in line
    assert "sku" in line
    assert "ValueError: nobody is called [removed]" in "\n".join(failed)


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


def test_personal_data_is_removed_by_its_value_wherever_it_stands(written: Any) -> None:
    lines = written()

    with personal.scope(lambda: ["Ann Example", "LS1 4DY", "GB"]):
        structlog.get_logger("x").error("refused", error="550 <ann@customer.example> Ann Example, LS1 4DY, GB")
    try:
        raise ValueError("nobody is called bob@customer.example")
    except ValueError:
        logging.getLogger("library").exception("failed for %s", "bob@customer.example")

    refused, failed = map(json.loads, lines())
    assert refused["error"] == "550 <[removed]> [removed], [removed], GB"
    assert "bob@" not in json.dumps(failed)


def test_a_value_is_forgotten_with_its_scope_and_found_as_a_word_only() -> None:
    with personal.scope():
        personal.hold(["Ann"])
        assert personal.scrub("Ann and Annabel") == "[removed] and Annabel"

    assert personal.scrub("Ann") == "Ann"


def test_of_a_very_long_text_beginning_and_end_are_kept_and_nothing_of_a_person_that_is_cut_in_two() -> None:
    half, mail, street = personal.LONGEST // 2, "quillfeather@customer.example", "Quillfeather Street 1"
    whole = "- " * personal.LONGEST
    with personal.scope(lambda: [street]):
        for value in (mail, street):
            for begins in (*range(half - len(value), half), *range(len(whole) - half - len(value), len(whole) - half)):
                text = personal.scrub(f"first {whole[6:begins]}{value}{whole[begins + len(value) : -5]} last")

                assert "uill" not in text, begins
                assert (len(text) <= personal.LONGEST, text[:5], text[-4:]) == (True, "first", "last")


@pytest.mark.parametrize(
    "event", [{"error": "x" * 100_000}, {f"f{n}": "é" * 5000 for n in range(30)}, {"a": ["y" * 50_000]}]
)
def test_no_line_is_longer_than_a_collector_takes(written: Any, event: dict[str, Any]) -> None:
    lines = written()

    structlog.get_logger("x").error("long", **event)
    (line,) = lines()

    assert len(line) <= logs.LONGEST_LINE
    assert (json.loads(line)["event"], json.loads(line)["pool"]) == ("long", "till")


def test_a_line_names_what_its_thread_works_on(written: Any) -> None:
    lines = written()

    say = structlog.get_logger("x").info
    with ThreadPoolExecutor(1) as pool, logs.naming(order_id="o-1"):
        with logs.naming(attempt=2):
            pool.submit(contextvars.copy_context().run, say, "inside").result()
        pool.submit(say, "outside").result()

    said = {line["event"]: line for line in map(json.loads, lines())}
    inside, outside = said["inside"], said["outside"]
    assert ("o-1", 2, False) == (inside["order_id"], inside["attempt"], "order_id" in outside)


def test_a_line_names_its_span(written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = written()
    spans = recorded_spans(monkeypatch)

    with tracing.span("process"):
        structlog.get_logger("x").info("sold")

    (span,) = spans()
    line = json.loads(lines()[0])
    assert (int(line["trace_id"], 16), int(line["span_id"], 16)) == (span.context.trace_id, span.context.span_id)
