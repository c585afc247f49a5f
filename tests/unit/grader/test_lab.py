"""The order of checks, their points, and what verdicts come to."""

import pytest

from grader.domain.lab import Check, Impossible, add_up, ordered
from grader.domain.verdict import Finding, Outcome, Result, Verdict, judged, missing, unjudged


def check(name: str, *, points: int = 1, needs: tuple[str, ...] = (), hints: dict[str, str] | None = None) -> Check:
    return Check(name, name.upper(), points, "call", None, needs=needs, hints=hints or {})


def result(*verdicts: Verdict) -> Result:
    return Result("lab", "v", 1, False, "", {}, verdicts)


def test_checks_keep_their_order_but_for_what_they_wait_for() -> None:
    checks = [check("a", needs=("c",)), check("b"), check("c"), check("d", needs=("a",))]

    assert ["b", "c", "a", "d"] == [one.id for one in ordered(checks)]


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ([check("a", needs=("b",)), check("b", needs=("a",)), check("c")], "a, b wait for each other in a cycle"),
        ([check("a", needs=("a",))], "a wait for each other"),
        ([check("a", needs=("nobody",))], 'no check has the id "nobody"'),
        ([check("a"), check("a")], '"a" is used by two checks'),
    ],
)
def test_an_impossible_order_names_the_checks(checks: list[Check], said: str) -> None:
    with pytest.raises(Impossible, match=said):
        ordered(checks)


def test_points_that_do_not_add_up_name_both_sums() -> None:
    add_up([check("a", points=2), check("b", points=3)], 5)

    with pytest.raises(Impossible, match="add up to 5, the catalogue says 6"):
        add_up([check("a", points=2), check("b", points=3)], 6)


@pytest.mark.parametrize(("earned", "passed"), [(7, False), (8, True), (10, True)])
def test_four_fifths_pass(earned: int, passed: bool) -> None:
    all_or_none = [check(f"c{number}") for number in range(10)]
    verdicts = [judged(one, Finding(number < earned, ""), 1, "") for number, one in enumerate(all_or_none)]

    assert (earned, 10, passed) == (result(*verdicts).points, result(*verdicts).of, result(*verdicts).passed)


def test_a_share_of_odd_points_is_rounded_up() -> None:
    verdicts = [
        judged(check("a", points=6), Finding(True, ""), 1, ""),
        judged(check("b", points=2), Finding(False, ""), 1, ""),
    ]

    assert not result(*verdicts).passed


def test_an_error_leaves_the_result_undecided_and_takes_no_points() -> None:
    fine = result(judged(check("a"), Finding(False, ""), 1, ""))
    broken = result(unjudged(check("a"), Outcome.ERROR, "grader", "no server"))

    assert (False, True) == (fine.undecided, broken.undecided)


def test_the_reason_chooses_the_hint() -> None:
    one = check("a", hints={"slow": "look at the clock", "otherwise": "look again"})

    def hint(reason: str, passed: bool = False) -> str:
        return judged(one, Finding(passed, "", reason), 1, "").hint

    assert ("look at the clock", "look again", "") == (hint("slow"), hint("new"), hint("slow", passed=True))


def test_output_is_shown_with_a_failure_alone() -> None:
    said = [judged(check("a"), Finding(passed, ""), 1, "Traceback").output for passed in (True, False)]

    assert ["", "Traceback"] == said


def test_a_check_is_missing_what_it_needs_unless_that_passed() -> None:
    verdicts = [
        judged(check("a"), Finding(True, ""), 1, ""),
        judged(check("b"), Finding(False, ""), 1, ""),
        unjudged(check("c"), Outcome.ERROR, "grader", ""),
        unjudged(check("d"), Outcome.SKIPPED, "needs", ""),
    ]

    assert ["B", "C", "D"] == missing(check("e", needs=("a", "b", "c", "d")), verdicts)
