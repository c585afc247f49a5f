"""Calls a function of the learner's, in a process of its own in the box, and reads what it returned.

What comes back is the learner's word: it tells where to look, and what broker, servers and events say is what counts.
"""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grader.session import Session

CODE = """
import importlib, json, os, sys, time
from celery.result import GroupResult, ResultBase

def plain(value):
    if isinstance(value, GroupResult):
        return {"id": value.id, "children": [plain(child) for child in value.results]}
    return {"id": value.id} if isinstance(value, ResultBase) else value

mark, module, path, arguments = sys.argv[1], sys.argv[2], sys.argv[3].split("."), json.loads(sys.argv[4])
function = importlib.import_module(module)
for name in path:
    function = getattr(function, name)
started = time.monotonic()
try:
    answer = {"value": plain(function(*arguments))}
except BaseException as error:
    answer = {"error": type(error).__name__, "bases": [base.__name__ for base in type(error).__mro__], "said": str(error)[:300]}
answer["seconds"] = time.monotonic() - started
print(mark + json.dumps(answer, default=repr), flush=True)
# Results that are collected while the interpreter ends would print pages of errors behind the answer.
os._exit(0)
"""


@dataclass(frozen=True, slots=True)
class Called:
    """How a call ended: with `value`, where a result of Celery is `{"id": …}` and that of a group has `children` as well; with
    `error`, the name of an exception; or with neither, because there is no such function or the process did not end in time.
    """

    value: Any = None
    error: str = ""
    bases: tuple[str, ...] = ()
    said: str = ""
    seconds: float = 0
    ended: bool = False

    @property
    def why(self) -> str:
        """How it ended, when not by returning."""
        if not self.ended:
            return "could not be called, or did not end"
        return f"raised {self.error}: {self.said}" if self.error else "returned"


def called(session: Session, function: str, arguments: Sequence[Any] = (), *, seconds: float = 20) -> Called:
    """Call MODULE:NAME; NAME may have dots."""
    module, _, path = function.partition(":")
    mark = f"answer-{session.random.randrange(16**12):012x}:"
    ended = session.run(
        [sys.executable, "-c", CODE, mark, module, path, json.dumps(list(arguments))], seconds=session.left(seconds)
    )
    found = re.search(rf"^{mark}(.*)$", ended.output, re.MULTILINE)
    if found is None:
        return Called()
    answer = json.loads(found[1])
    return Called(
        value=answer.get("value"),
        error=answer.get("error", ""),
        bases=tuple(answer.get("bases", ())),
        said=answer.get("said", ""),
        seconds=answer["seconds"],
        ended=True,
    )
