"""The session level of FIX, whatever a client sends in whatever order: numbers count once, silence is noticed, every end has a reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.adapters.fix import terms
from trading.adapters.fix.codec import decode
from trading.adapters.fix.directory import Directory, Login, symbol_of
from trading.adapters.fix.requests import MissingTag, Refused, request
from trading.adapters.fix.session import FixSession, Verdict
from trading.adapters.kept_numbers import KeptNumbers
from trading.adapters.layouts import INPUTS, encode_input

BEAT = 10
STAMP = b"20261129-08:00:00.000"


class Client:
    """A session that is logged on, and what it sent."""

    def __init__(self, session: FixSession) -> None:
        self.session, self.sent = session, list[dict[int, bytes]]()
        self.log_on(1, 0.0)

    def log_on(self, number: int, now: float) -> Verdict:
        """With a heartbeat of BEAT seconds."""
        fields = {terms.MSG_TYPE: terms.LOGON, terms.MSG_SEQ_NUM: b"%d" % number, terms.HEART_BT_INT: b"%d" % BEAT}
        return self.session.log_on(fields, self._keep, now)

    def kinds(self, after: int = 0) -> list[bytes]:
        """The types of the messages that were sent."""
        return [one[terms.MSG_TYPE] for one in self.sent[after:]]

    def _keep(self, data: bytes) -> None:
        self.sent.append(decode(data))


@contextmanager
def logged_on() -> Iterator[Client]:
    with TemporaryDirectory() as folder:
        numbers = KeptNumbers(Path(folder) / "numbers", 2, initial=1)
        yield Client(FixSession(b"VENUE", LOGIN, numbers, lambda: STAMP))
        numbers.close()


LOGIN = Login(b"CLIENT1", 1, "", frozenset((1, 2)), cancel_on_disconnect=False)


def message(kind: bytes, number: object, **fields: bytes) -> dict[int, bytes]:
    return {
        terms.MSG_TYPE: kind,
        terms.MSG_SEQ_NUM: str(number).encode(),
        **{getattr(terms, name): v for name, v in fields.items()},
    }


def test_a_heartbeat_is_sent_when_nothing_else_was() -> None:
    with logged_on() as client:
        client.session.tick(1.0)
        before = len(client.sent)
        for now in (10.9, 11.0, 11.1):
            client.session.receive(message(terms.HEARTBEAT, round(now * 10) - 107), now)
            client.session.tick(now)

    assert [terms.HEARTBEAT] == client.kinds(before)


def test_a_silent_client_is_asked_once_and_then_logged_out() -> None:
    with logged_on() as client:
        client.session.tick(0.1)
        before = len(client.sent)
        verdicts = [client.session.tick(now) for now in (9.0, 12.1, 13.0, 24.1)]

    asked = [one for one in client.sent[before:] if one[terms.MSG_TYPE] == terms.TEST_REQUEST]
    assert ([Verdict.IGNORE] * 3 + [Verdict.END], 1) == (verdicts, len(asked))
    assert b"nothing came for 24 s" == client.sent[-1][terms.TEXT]


def test_an_answer_to_the_question_is_a_sign_of_life() -> None:
    with logged_on() as client:
        client.session.tick(12.1)
        client.session.receive(message(terms.HEARTBEAT, 2, TEST_REQ_ID=b"alive?"), 13.0)

        assert Verdict.IGNORE == client.session.tick(24.1)


RAW = st.binary(min_size=1, max_size=12).filter(lambda value: b"\x01" not in value)
NUMBERS = st.one_of(st.integers(-3, 12), st.sampled_from(["x", "9" * 30, "1.5", "+3", " 2"]))
KINDS = st.sampled_from(sorted(terms.APPLICATION | terms.ADMINISTRATIVE | {b"8", b"XX", b"~"}))
FIELDS = st.dictionaries(
    st.sampled_from(["POSS_DUP", "GAP_FILL", "NEW_SEQ_NO", "BEGIN_SEQ", "END_SEQ", "TEST_REQ_ID"]),
    st.one_of(st.sampled_from([b"Y", b"N"]), st.integers(-2, 14).map(lambda one: str(one).encode()), RAW),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(KINDS, st.one_of(st.none(), NUMBERS), FIELDS), max_size=25))
def test_whatever_comes_each_number_is_taken_once_and_every_end_has_a_reason(
    came: list[tuple[bytes, object, dict[str, bytes]]],
) -> None:
    with logged_on() as client:
        expected, taken = 2, list[int]()
        for kind, number, fields in came:
            # None is the number that is due.
            stated = expected if number is None else number
            verdict = client.session.receive(message(kind, stated, **fields), 1.0)
            if verdict is Verdict.TAKE:
                taken.append(int(str(stated)))
                assert (expected, True) == (stated, kind in terms.APPLICATION)
            if verdict is Verdict.END:
                assert terms.LOGOUT == client.kinds()[-1]
                assert kind == terms.LOGOUT or client.sent[-1].get(terms.TEXT)
                break
            expected = client.session._numbers[0]
        new = [int(one[terms.MSG_SEQ_NUM]) for one in client.sent if one.get(terms.POSS_DUP) != b"Y"]

    assert sorted(set(taken)) == taken
    assert [*range(1, len(new) + 1)] == new


DIRECTORY = Directory(b"VENUE", {b"AAPL": symbol_of(1, "AAPL", "0.01")}, {})
VALUES = st.one_of(
    st.sampled_from(
        [b"1", b"2", b"7", b"AAPL", b"10.00", b"0", b"-1", b"NaN", b"1e9", b"9" * 40, b"0.001", b"10.", b"\xff"]
    ),
    RAW,
    st.integers(-(2**70), 2**70).map(lambda one: str(one).encode()),
)
TAGS = (terms.CL_ORD_ID, terms.ORIG_CL_ORD_ID, terms.ACCOUNT, terms.SYMBOL, terms.SIDE, terms.ORD_TYPE, terms.PRICE)
TAGS += (terms.STOP_PRICE, terms.ORDER_QTY, terms.TIME_IN_FORCE, terms.MASS_CANCEL_TYPE)
USUAL = {
    11: b"1",
    41: b"1",
    1: b"1",
    55: b"AAPL",
    54: b"1",
    40: b"2",
    44: b"10.00",
    99: b"9.00",
    38: b"1",
    59: b"0",
    530: b"7",
}


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(terms.APPLICATION)),
    st.dictionaries(st.sampled_from(TAGS), st.one_of(st.none(), VALUES), max_size=4),
)
def test_whatever_an_order_says_it_is_an_input_or_refused_by_a_tag(
    kind: bytes, changed: dict[int, bytes | None]
) -> None:
    fields = {tag: value for tag, value in {**USUAL, **changed}.items() if value is not None}

    refused: MissingTag | Refused | None = None
    asked = None
    try:
        asked = request({terms.MSG_TYPE: kind, **fields}, LOGIN, DIRECTORY)
    except (MissingTag, Refused) as error:
        refused = error

    if asked is not None:
        assert asked.record == INPUTS[asked.record[0]].unpack(encode_input(asked.record))
    else:
        assert refused is not None
        assert refused.tag in changed


def test_what_is_usual_is_an_input() -> None:
    for kind in terms.APPLICATION:
        assert 1 == request({terms.MSG_TYPE: kind, **USUAL}, LOGIN, DIRECTORY).record[1]
