"""Reads one answer of a table that the learner fills in, a YAML file, and says what is right or wrong about it.

The file maps each item to a choice and a reason: `receipt: { choice: async, reason: slow }`.
"""

from collections.abc import Mapping

import yaml
from pydantic import Field

from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed

MOST_BYTES = 64 * 1024


class Answer(Strict):
    """A choice, and one of the reasons that are good enough for it."""

    choice: str
    reasons: tuple[str, ...] = Field(min_length=1)


class Parameters(Strict):
    """Which item, which answers are right, and what to say."""

    file: str = "answers.yaml"
    item: str
    accepted: tuple[Answer, ...] = Field(min_length=1)
    caveat: str = Field(description="Said when it is right: what the answer leaves open.")
    feedback: Mapping[str, str] = Field(
        default_factory=dict, description="What to say to a wrong choice or a wrong reason, by its name."
    )


def run(parameters: Parameters, session: Session) -> Finding:
    """Passes when the choice is accepted and its reason is one of those given for it."""
    path = session.workspace / parameters.file
    if not path.is_file():
        return failed("missing", f"{parameters.file} is not there")
    if path.stat().st_size > MOST_BYTES:
        return failed("unreadable", f"{parameters.file} is larger than {MOST_BYTES // 1024} KiB")
    try:
        table = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return failed("unreadable", f"{parameters.file} is no YAML: {' '.join(str(error).split())[:200]}")
    answer = table.get(parameters.item) if isinstance(table, dict) else None
    choice, reason = (answer.get("choice"), answer.get("reason")) if isinstance(answer, dict) else (None, None)
    if not isinstance(choice, str) or not isinstance(reason, str):
        return failed(
            "unanswered",
            f"{parameters.item} has no choice and reason yet",
            choice=repr(choice)[:100],
            reason=repr(reason)[:100],
        )
    fitting = [accepted for accepted in parameters.accepted if accepted.choice == choice]
    if not fitting:
        said = parameters.feedback.get(choice, "another choice fits better")
        return failed("wrong-choice", f"{parameters.item}: {choice[:50]}: {said}", choice=choice[:100])
    if not any(reason in accepted.reasons for accepted in fitting):
        said = parameters.feedback.get(reason, "the choice is right, the reason does not carry it")
        return failed(
            "wrong-reason", f"{parameters.item}: {choice}, {reason[:50]}: {said}", choice=choice, reason=reason[:100]
        )
    return passed(f"{parameters.item}: {choice}, {reason}. {parameters.caveat}", choice=choice, reason=reason)
