"""docs/authoring-labs.md names every check kind, and every reason that a kind may give."""

import ast
import re

import pytest

from conductor.run_directory import CHECKOUT
from grader import checks
from grader.fingerprint import KINDS

ROW = re.compile(r"^\| `(\w+)` \| .* \| (.*) \|$", re.MULTILINE)
PAGE = dict(ROW.findall((CHECKOUT / "docs" / "authoring-labs.md").read_text()))


def reasons(kind: str) -> set[str]:
    """The first argument of each `failed(…)` of a kind's module; of one that is a name, the texts that it is given."""
    program = ast.parse((KINDS / f"{kind}.py").read_text())
    called = [node for node in ast.walk(program) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    first = [node.args[0] for node in called if ast.unparse(node.func) == "failed"]
    names = {node.id for node in first if isinstance(node, ast.Name)}
    given = [
        node.value
        for node in ast.walk(program)
        if isinstance(node, ast.Assign) and {ast.unparse(target) for target in node.targets} & names
    ]
    return {
        part.value
        for node in [*first, *given]
        for part in ([node.body, node.orelse] if isinstance(node, ast.IfExp) else [node])
        if isinstance(part, ast.Constant)
    }


def test_the_page_names_every_kind() -> None:
    assert checks.kinds() == sorted(set(PAGE) & set(checks.kinds()))


@pytest.mark.parametrize("kind", [kind for kind in checks.kinds() if kind != "function"])
def test_the_page_names_every_reason_of_a_kind(kind: str) -> None:
    assert reasons(kind) == set(re.findall(r"`([\w-]+)`", PAGE[kind]))
