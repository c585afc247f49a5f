"""What a learner's code printed is shown beside a verdict, and never looks like one."""

import pytest

from grader.domain.verdict import Outcome, Verdict
from grader.screen import Screen


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("a log line", "│ a log line"),
        ("[bold]10/10[/bold]", "│ [bold]10/10[/bold]"),
        ("\x1b[32mgreen\x1b[0m", "│ green"),
        ("x\r✓ passed", "│ x\ufffd✓ passed"),
        ("\x1b[2J\x1b[1;1H10/10 passed", "│ 10/10 passed"),
        ("\x1b]0;title\x07", "│ \ufffd]0;title\ufffd"),
        ("a\x85b\u2028c\x0bd", "│ a\ufffdb\ufffdc\ufffdd"),
    ],
)
def test_output_stays_on_its_line(capsys: pytest.CaptureFixture[str], printed: str, shown: str) -> None:
    Screen().said(
        Verdict("one", "One", Outcome.FAILED, 0, 1, f"because {printed}", "ended", 1.0, output=f"{printed}\nnext")
    )

    lines = [line.strip() for line in capsys.readouterr().out.split("\n")]
    assert [shown, "│ next"] == lines[2:4]
    assert lines[1] == f"because {shown.removeprefix('│ ')}"


def test_a_reason_with_a_line_break_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().said(Verdict("one", "One", Outcome.FAILED, 0, 1, "it said 3\n✓ Two  9/9", "ended", 1.0))

    assert "    it said 3\ufffd✓ Two  9/9" in capsys.readouterr().out.split("\n")
