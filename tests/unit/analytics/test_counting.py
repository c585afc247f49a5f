"""From events to what counters grow by: however they are cut, batched, delivered and sent again, each part counts once."""

import contextlib
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain import batch as batches
from analytics.domain.batch import Batch, columnise, decode, detail, encode
from analytics.domain.counting import Growth, count
from analytics.domain.errors import BatchRefused
from analytics.domain.events import KINDS, Event, Timing, timing
from analytics.domain.parts import PART_EVENTS, Part, cut, part_id
from analytics.domain.user_rate import UserRate

EVENTS = st.builds(
    Event,
    id=st.text(min_size=1, max_size=3),
    user=st.sampled_from(["u1", "u2", "ü"]),
    content=st.sampled_from(["c1", "c2"]),
    kind=st.sampled_from(KINDS),
    at_ms=st.integers(0, 200_000),
    topics=st.just(("t",)),
)
PARTS = st.lists(st.lists(EVENTS, min_size=1, max_size=6), min_size=1, max_size=5).map(
    lambda bodies: [Part(part_id("c", "k", number), body) for number, body in enumerate(bodies)]
)


def on_time(_: int) -> Timing:
    return Timing.ON_TIME


def plain(events: list[Event]) -> dict[str, Counter[Any]]:
    """The same counters, each event by itself."""
    return {
        "contents": Counter((e.kind, e.at_ms // 60_000, e.content) for e in events),
        "users": Counter((e.at_ms // 3_600_000, e.user) for e in events),
        "totals": Counter((e.kind, e.at_ms // 60_000) for e in events),
    }


def flat(growth: Growth) -> dict[str, Counter[Any]]:
    return {
        "contents": Counter({(k, m, c): n for (k, m), counts in growth.contents.items() for c, n in counts.items()}),
        "users": Counter({(h, u): n for h, counts in growth.users.items() for u, n in counts.items()}),
        "totals": Counter({(k, int(m)): n for (k, _), counts in growth.totals.items() for m, n in counts.items()}),
    }


@given(PARTS)
def test_a_batch_counts_what_its_events_say(parts: list[Part]) -> None:
    growth = count([decode(encode(columnise(parts, 1, on_time)))])

    assert plain([event for part in parts for event in part.events]) == flat(growth)
    assert [part.id for part in parts] == growth.parts


@given(PARTS, st.data())
def test_each_part_counts_once_in_whatever_batches_it_comes(parts: list[Part], data: Any) -> None:
    made = data.draw(st.lists(st.lists(st.sampled_from(parts), min_size=1, max_size=6), min_size=1, max_size=4))
    window = [columnise(some, 1, on_time) for some in made]
    counted = {part.id: part for some in made for part in some}

    growth = count(window)

    assert plain([event for part in counted.values() for event in part.events]) == flat(growth)
    assert sorted(counted) == sorted(growth.parts)


@given(PARTS, st.data())
def test_parts_that_are_known_count_nothing(parts: list[Part], data: Any) -> None:
    known = data.draw(st.sets(st.sampled_from([part.id for part in parts])))

    growth = count([columnise(parts, 1, on_time)], known)

    assert plain([event for part in parts if part.id not in known for event in part.events]) == flat(growth)
    assert not known & set(growth.parts)


def test_the_detail_of_a_batch_gives_the_events_back() -> None:
    events = [Event(f"e{i}", f"u{i}", f"c{i}", "like", 60_000 + i, ("a", "b")[: i % 3]) for i in range(5)]

    (group,) = decode(encode(columnise([Part(part_id("c", "k", 0), events)], 1, on_time))).groups
    ids, within, topics = detail(group)

    rebuilt = [
        Event(i, user, content, KINDS[group.kind], group.minute * 60_000 + at, about)
        for i, user, content, at, about in zip(ids, group.users, group.contents, within, topics, strict=True)
    ]
    assert events == rebuilt


def test_late_and_future_events_are_counted_by_kind_only() -> None:
    day = 86_400_000
    events = [
        Event("1", "u", "c", "view", day),
        Event("2", "u", "c", "view", 10 * day),
        Event("3", "u", "c", "like", 20 * day),
    ]
    made = columnise(
        [Part(part_id("c", "k", 0), events)], 1, lambda at: timing(at, 10 * day, late_ms=day, future_ms=60_000)
    )

    growth = count([made])

    assert {"late:view": 1, "future:like": 1} == growth.apart
    assert plain(events[1:2]) == flat(growth)
    assert 3 == growth.events


def body() -> bytes:
    return encode(columnise([Part(part_id("c", "k", 0), [Event("1", "u", "c", "view", 1)])], 1, on_time))


def changed(**values: Any) -> bytes:
    made = decode(body())
    (group,) = made.groups
    fields = {name: getattr(group, name) for name in group.__struct_fields__}
    return encode(Batch(made.published_ms, made.parts, [batches.Group(**{**fields, **values})]))


BROKEN = {
    "nothing": b"",
    "another version": b"\x02" + body()[1:],
    "no MessagePack": bytes((batches.VERSION,)) + b"\xc1",
    "half a batch": body()[:-5],
    "a column too short": changed(users=[]),
    "runs that do not add up": changed(runs=[0, 2]),
    "an odd run": changed(runs=[0, 1, 0]),
    "a run of no part": changed(runs=[1, 1]),
    "a negative run": changed(runs=[0, 2, 0, -1]),
    "an unknown kind": changed(kind=len(KINDS)),
    "an unknown timing": changed(timing=len(Timing)),
    "refusals of too few parts": encode(Batch(1, [b"x" * 16] * 2, [], [1])),
    "a negative refusal": encode(Batch(1, [b"x" * 16], [], [-1])),
    "a short part id": encode(Batch(1, [b"x"], [])),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_batch_that_cannot_be_read_is_refused(broken: bytes) -> None:
    with pytest.raises(BatchRefused):
        decode(broken)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_batch_or_a_refusal(noise: bytes) -> None:
    with contextlib.suppress(BatchRefused):
        assert 0 <= decode(bytes((batches.VERSION,)) + noise).events


def test_parts_are_cut_by_position_whatever_was_refused() -> None:
    event = Event("1", "u", "c", "view", 1)
    whole: list[Event | None] = [event] * (2 * PART_EVENTS + 1)
    refused = [*whole]
    refused[0] = refused[PART_EVENTS] = None

    assert [PART_EVENTS, PART_EVENTS, 1] == [len(part.events) for part in cut("c", "k", whole)]
    assert [PART_EVENTS - 1, PART_EVENTS - 1, 1] == [len(part.events) for part in cut("c", "k", refused)]
    assert [part.id for part in cut("c", "k", whole)] == [part.id for part in cut("c", "k", refused)]


def test_refused_events_are_counted_once_with_their_part() -> None:
    events = [Event("e", "u", "c", "view", 5), None]
    (part,), (nothing,) = cut("c", "k", events), cut("c", "l", [None, None, None])

    first = decode(encode(columnise([part, nothing], 1, on_time)))
    again = decode(encode(columnise([nothing], 2, on_time)))

    assert {"refused": 4} == count([first, again, first]).apart
    assert {"refused": 1} == count([first, again], {nothing.id}).apart
    assert 1 == count([first]).events


def test_what_an_older_edge_publishes_is_read() -> None:
    older = bytes((batches.VERSION,)) + msgspec.msgpack.encode((7, [b"x" * 16], []))

    assert Batch(7, [b"x" * 16], []) == decode(older)


def test_events_of_bots_are_flagged_and_counted_by_kind_alone() -> None:
    events = [Event("1", "u", "c", "view", 5), Event("2", "u", "c", "view", 5, bot=True)]
    late = [Event("3", "u", "c", "view", 5, bot=True)]

    found = count([columnise([Part(part_id("c", "k", 0), events)], 1, on_time)])
    old = count([columnise([Part(part_id("c", "l", 0), late)], 1, lambda _: Timing.LATE)])

    assert ({"flagged:view": 1}, plain(events[:1]), 2) == (found.apart, flat(found), found.events)
    assert {"late:view": 1} == old.apart


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=8), max_size=8), st.integers(1, 5))
def test_the_first_events_of_a_user_in_a_minute_are_counted_and_the_others_flagged(
    batches_of: list[list[str]], allowed: int
) -> None:
    rate = UserRate(allowed)
    counted: Counter[str] = Counter()
    flagged = 0
    for number, users in enumerate(batches_of):
        part = Part(part_id("c", str(number), 0), [Event("e", user, "c", "view", 5) for user in users])
        growth = count([columnise([part], 1, on_time, rate.over(part.events, 60_000 + number))])
        counted.update(growth.users.get(0, {}))
        flagged += growth.apart["flagged:view"]

    sent = Counter(user for users in batches_of for user in users)
    assert {user: min(count, allowed) for user, count in sent.items()} == counted
    assert sent.total() - counted.total() == flagged


def test_a_new_minute_begins_anew_and_few_users_are_remembered() -> None:
    events = [Event("e", f"u{i}", "c", "view", 5) for i in range(50)] + [Event("e", "loud", "c", "view", 5)] * 20
    rate = UserRate(10, most=10)

    first, second, next_minute = rate.over(events, 0), rate.over(events, 59_999), rate.over(events, 60_000)

    assert {"loud": 10} == first == next_minute
    assert {"loud": 0} == second
    assert len(rate._seen) <= 10


def test_clients_with_the_same_key_have_parts_of_their_own() -> None:
    assert 4 == len({part_id("a", "k", 0), part_id("b", "k", 0), part_id("a", "l", 0), part_id("a", "k", 1)})
