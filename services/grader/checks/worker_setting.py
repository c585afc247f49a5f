"""Asks a running worker for one of its settings, over remote control: what is in force, wherever the learner wrote it."""

from typing import Any

from pydantic import Field

from grader.checks import Strict
from grader.domain.verdict import Finding
from grader.session import Session, failed, passed


class Parameters(Strict):
    """Which setting, and what it may be."""

    worker: str = "worker"
    setting: str = Field(description="The name in lower case, as in Celery's documentation.")
    allowed: tuple[Any, ...] = Field(min_length=1, description="The values that pass; null stands for the default.")


def run(parameters: Parameters, session: Session) -> Finding:
    """Passes when the worker's value is among those allowed."""
    value = session.workers[parameters.worker].settings.get(parameters.setting)
    if value in parameters.allowed:
        return passed(f"{parameters.setting} is {value!r}", value=value)
    return failed("other-value", f"{parameters.setting} is {value!r} in the running worker", value=value)
