"""Whatever a message holds can be parked, looked at, and then run again as it came or refused with a reason."""

import hashlib
import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu.message import Message

from chassis import outbox, parked, storable
from chassis.declare import declare_app
from chassis.message_checks import Fault
from chassis.outbox import Command
from chassis.parking import BRIEF_BYTES, Choice, Parking, engine_for, park_failure, park_message
from chassis.sizes import KEPT_BYTES
from servers import wait_until

FAULT = Fault("malformed", "no reason \x00 \ud800")


def arrived(body: Any = "[[], {}, {}]", content_type: Any = "application/json", **headers: Any) -> Message:
    return Message(
        body, content_type=content_type, content_encoding="utf-8", headers=headers, accept={"application/json"}
    )


def keep(shop: Any, message: Message, found: Fault = FAULT) -> Any:
    """Park it; its record."""
    park_message(shop.database_url, message, queue="shop.till", found=found)
    with engine_for(shop.database_url).begin() as conn:
        records = Parking("ann").list(conn, Choice())
        shown = Parking("ann").show(conn, records[-1].id)
    assert shown is not None
    return shown[0]


def run(shop: Any, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The command, in this process."""
    sys.modules["shop_of_this_test"] = SimpleNamespace(app=shop.app())  # type: ignore[assignment]
    capsys.readouterr()
    code = parked.main(["parked", "shop_of_this_test", *arguments, "--actor", "ann"])
    return code, *capsys.readouterr()


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.binary(max_size=5)
)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3), max_leaves=8
)
headers = st.dictionaries(
    st.sampled_from(["task", "id", "timelimit", "group", "_delivery"]) | st.text(st.characters(), max_size=5), values
)
bodies = st.binary(max_size=50) | st.builds(
    lambda args, kwargs, options: json.dumps([args, kwargs, options], default=str).encode(),
    st.lists(values, max_size=1), st.dictionaries(st.text(st.characters(), max_size=5) | st.just("ids"), values, max_size=3), st.just({}),
)  # fmt: skip


def test_every_message_is_parked_with_its_whole_body(shop_on: Any, rabbitmq_url: str) -> None:
    shop = shop_on(rabbitmq_url)

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(headers, bodies, st.sampled_from(["application/json", "text/plain"]) | values)
    def law(told: dict[Any, Any], body: bytes, content_type: Any) -> None:
        with engine_for(shop.database_url).begin() as conn:
            conn.execute(sa.text("TRUNCATE parked"))
        record = keep(shop, Message(body, headers=told, content_type=content_type, accept={"application/json"}))

        whole = (
            storable.bytes_of(record.body) == body
            if storable.is_raw(record.body)
            else json.loads(body)[1] == record.body
        )
        assert whole
        assert record.reason == "malformed"

    law()


def test_a_longer_body_is_cut_and_can_be_recognised(rabbit_shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    declare_app(rabbit_shop.app())
    body = b"x" * (KEPT_BYTES + 1)

    record = keep(rabbit_shop, arrived(body, task="shop.note", id="i"))
    code, _, told = run(rabbit_shop, capsys, "replay", "--all")

    assert (len(body), hashlib.sha256(body).hexdigest()) == (record.body["bytes"], record.body["sha256"])
    assert f"only {KEPT_BYTES} of the {len(body)} bytes of its body were kept" in told
    assert (code, rabbit_shop.parked()) == (1, [("malformed", "shop.note")])


def test_many_long_bodies_can_be_listed(rabbit_shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    keep(rabbit_shop, arrived(b"x" * (BRIEF_BYTES + 1), task="shop.note", id="i"))

    code, listed, _ = run(rabbit_shop, capsys, "list", "--json")

    assert (code, len(listed) < 2_000) == (0, True)
    assert json.loads(listed)["records"][0]["body"]["bytes_kept"] > BRIEF_BYTES


UNSTORABLE: tuple[dict[str, Any], ...] = (
    {"id": "\x00"},
    {"id": "\ud800"},
    {"text": b"\xff"},
    {"text": float("nan")},
    {"text": "x" * 1_000_000},
)


@pytest.mark.parametrize("odd", UNSTORABLE, ids=lambda odd: repr(odd)[:20])
def test_headers_that_cannot_be_kept_are_escaped_and_not_sent_again(
    rabbit_shop: Any, capsys: pytest.CaptureFixture[str], odd: dict[str, Any]
) -> None:
    declare_app(rabbit_shop.app())
    record = keep(rabbit_shop, arrived(b"\xff", **{"task": "shop.note", "id": "i", **odd}))

    code, _, told = run(rabbit_shop, capsys, "replay", str(record.id))

    assert next(iter(odd)) in record.headers[storable.ESCAPED]
    assert (
        told
        == f"{record.id} is not replayed: its headers could not be kept as they came; drop it, and send the task anew\n"
    )
    assert (code, rabbit_shop.parked()) == (1, [("malformed", "shop.note")])
    assert run(rabbit_shop, capsys, "drop", str(record.id))[0] == 0


def test_what_cannot_be_replayed_keeps_nothing_else_from_it(shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    declare_app(shop.app())
    keep(shop, arrived(b"\xff", task="shop.note", id="\x00"))
    keep(shop, arrived(b"\xff", task="shop.note", id="i", group=2**70))
    keep(shop, arrived(b"\xff", id="i"))
    keep(shop, arrived('[[], {"text": "x"}, {}]', task={"a": 1}, id="i"))
    keep(shop, arrived('[[], {"text": "x"}, {}]', task="shop.note", id="i", timelimit="ab"))

    code, listed, told = run(shop, capsys, "replay", "--all")

    rabbitmq = shop.broker_url.startswith("amqp")
    assert code == 1
    assert listed.endswith("1 replayed\n" if rabbitmq else "2 replayed\n")
    assert len(told.splitlines()) == (4 if rabbitmq else 3)


def test_a_message_that_is_to_blame_itself_leaves_its_commands_open(rabbit_shop: Any) -> None:
    with engine_for(rabbit_shop.database_url).begin() as conn:
        outbox.put(conn, [Command(key="k", task="shop.reserve", queue="shop.till", body={})])
    command = rabbit_shop.rows("UPDATE outbox SET issued = 1 RETURNING id")[0].id
    body = json.dumps([[], {"v": 1, "ids": [command]}, {}])

    keep(
        rabbit_shop,
        arrived(body, task="shop.reserve", id="i", timelimit="ab"),
        Fault("malformed", "", message_only=True),
    )
    keep(rabbit_shop, arrived(body, task="shop.another", id="j"))

    assert [("open",)] == [tuple(row) for row in rabbit_shop.rows("SELECT state FROM outbox")]
    assert [None, None] == [row.key for row in rabbit_shop.rows("SELECT key FROM parked")]


def test_a_message_of_200_000_ids_is_parked(rabbit_shop: Any) -> None:
    body = json.dumps([[], {"v": 1, "ids": list(range(200_000))}, {}])

    record = keep(rabbit_shop, arrived(body, task="shop.reserve", id="i"))

    assert storable.bytes_of(record.body).decode() == body


def test_two_messages_with_one_id_are_two_records(rabbit_shop: Any) -> None:
    for text in ("a", "b", "b"):
        keep(
            rabbit_shop,
            arrived(json.dumps([[], {"text": text}, {}]), task="shop.note", id={"a": 1}, **{"x-delivery-count": text}),
        )

    assert len(rabbit_shop.parked()) == 2


def test_a_failed_task_is_parked_with_arguments_of_every_kind(shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shop.worker(pool="solo")
    failed = {"queue": "shop.till", "task": "shop.note", "reason": "bug", "detail": "\x00\ud800"}

    for _ in range(2):
        park_failure(shop.database_url, args=["by place"], kwargs={}, **failed)
        park_failure(
            shop.database_url,
            kwargs={"text": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1") + "\x00"},
            **failed,
        )
        park_failure(shop.database_url, kwargs={"text": float("nan")}, **failed)
        park_failure(shop.database_url, kwargs={"text": object}, **failed)
    assert len(shop.parked()) == 4

    assert run(shop, capsys, "replay", "--all")[0] == 1
    wait_until(lambda: len(shop.acts()) == 3, what="those that a message can hold")
    assert {"by place", "nan"} < set(shop.acts())
