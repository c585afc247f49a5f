"""How a judge is asked: one question and one answer at a time, JSON lines over a Unix socket. Standard library only.

`python -S judge_rpc.py QUESTION` asks and prints the answer; it is what `kubectl exec` runs, so it must start at once.
"""

import json
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

SOCKET = "/tmp/judge.sock"
HISTORY = "/tmp/journal.jsonl"
"""What its clients did and were told."""
LONGEST = 1 << 24

Answer = Mapping[str, Any]


def serve(answer: Callable[[Mapping[str, Any]], Answer | None], path: str = SOCKET) -> None:
    """Answer one caller after the other, until `answer` gives None; that caller gets an empty answer."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(4)
        while True:
            caller, _ = listener.accept()
            with caller, caller.makefile("rwb") as lines:
                question = lines.readline(LONGEST)
                if not question.strip():
                    continue
                said = answer(json.loads(question))
                lines.write(json.dumps({} if said is None else said).encode() + b"\n")
                lines.flush()
            if said is None:
                return


def ask(question: Mapping[str, Any], path: str = SOCKET) -> Answer:
    """The answer. Raises OSError when there is no judge, ValueError when it ended without an answer."""
    with socket.socket(socket.AF_UNIX) as judge:
        judge.connect(path)
        with judge.makefile("rwb") as lines:
            lines.write(json.dumps(question).encode() + b"\n")
            lines.flush()
            found: Answer = json.loads(lines.readline(LONGEST))
            return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(ask(json.loads(sys.argv[1]))) + "\n")
