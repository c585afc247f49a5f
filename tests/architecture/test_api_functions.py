"""What an API calls for a request runs in its event loop.

FastAPI gives a plain function to a thread, also one that a route depends on, and the thread waits up to 5 ms for a loop that is busy.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICES = Path(__file__).resolve().parents[2] / "services"
SOURCES = [path for place in ("*/api", "chassis/http") for path in sorted(SERVICES.glob(f"{place}/*.py"))]
METHODS = {"get", "post", "put", "patch", "delete", "api_route"}


def in_threads(trees: list[ast.Module]) -> Iterator[str]:
    """Names of plain functions that are routes, or what `Depends` names."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    depended = {
        argument.id
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Depends"
        for argument in node.args
        if isinstance(argument, ast.Name)
    }
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and (node.name in depended or any(map(_is_route, node.decorator_list))):
            yield node.name


def _is_route(decorator: ast.expr) -> bool:
    match decorator:
        case ast.Call(func=ast.Attribute(value=ast.Name(), attr=name)):
            return name in METHODS
    return False


def test_no_request_waits_for_a_thread_of_fastapi() -> None:
    assert len(SOURCES) > 20
    assert [] == list(in_threads([ast.parse(path.read_text()) for path in SOURCES]))


@pytest.mark.parametrize(
    "source",
    [
        "def known(): ...\nKnown = Annotated[Caller, Depends(known)]",
        "@router.get('/')\ndef known(): ...",
    ],
)
def test_a_plain_function_is_found(source: str) -> None:
    assert ["known"] == list(in_threads([ast.parse(source)]))
