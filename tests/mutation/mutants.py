"""Small wrongs, one at a time: every guard of a module deleted, forced open or shut, or weakened by one of its conditions.

Pure: reads source, returns source. Guards that are SQL or Lua count as well, since half of what keeps commands safe is written there.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

# In SQL: conditions, locks, orders and the parts of an update, each of which is there for a reason.
_SQL_GUARDS = [
    re.compile(pattern)
    for pattern in (
        r" AND [a-z_.>\-']+ (?:=|>|<|<=|>=|<>|IS NULL|IS NOT NULL|IN)(?: (?:'[^']*'|\([^)]*\)|[^\s)]+))?",
        r"(?<=WHERE )[a-z_.]+ = ANY\([^)]*\) AND ",
        r"(?<=WHERE )[a-z_.]+ (?:=|>|<) (?:'[^']*'|[^\s)]+) AND ",
        r" FOR UPDATE SKIP LOCKED",
        r" SKIP LOCKED",
        r"ON CONFLICT [^\n]*DO NOTHING",
        r" ORDER BY [a-z_., ]+[a-z_]",
        r" LIMIT [a-z:._]+",
        r", [a-z_]+ = [^,\n]+",
        r" OR [a-z_.]+(?: > \d+)?",
    )
]
_SWAPPED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}


@dataclass(frozen=True)
class Mutant:
    """One wrong. `name` stays the same when lines move; `place` is a function's qualified name, or the name that is assigned.

    `lines` are where the change shows: a test that runs none of them cannot notice it.
    """

    module: str
    place: str
    in_function: bool
    what: str
    lines: tuple[int, ...]
    source: str

    @property
    def name(self) -> str:
        return f"{self.module}:{self.place}: {self.what}"


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module's source; names are unique."""
    seen: dict[str, int] = {}
    tree = ast.parse(source)
    for place, in_function, scope in _places(tree):
        for node, new, what in [*_wrongs(scope), *(() if in_function else _wrong_texts(scope, source))]:
            text = _spliced(source, node, new)
            try:
                compile(text, module, "exec")
            except SyntaxError:
                continue
            lines = _lines(scope, node) if in_function else _users(tree, place)
            mutant = Mutant(module, place, in_function, what, lines, text)
            seen[mutant.name] = seen.get(mutant.name, 0) + 1
            if seen[mutant.name] > 1:
                mutant = replace(mutant, what=f"{what} ({seen[mutant.name]})")
            yield mutant


def _places(tree: ast.Module) -> Iterator[tuple[str, bool, ast.AST]]:
    """Functions and methods by qualified name, and what is assigned at the top."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, True, node
        elif isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef):
                    yield f"{node.name}.{part.name}", True, part
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, False, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, False, node.value


def _lines(scope: ast.AST, node: ast.AST) -> tuple[int, ...]:
    """Of the simple statement that a node is part of; of the node alone, when that is the head of a compound one."""
    home = node
    for found in ast.walk(scope):
        if isinstance(found, ast.stmt) and not hasattr(found, "body") and any(part is node for part in ast.walk(found)):
            home = found
    return tuple(range(home.lineno, home.end_lineno + 1))  # type: ignore[attr-defined]


def _users(tree: ast.Module, name: str) -> tuple[int, ...]:
    """Of all statements that use a name of the module."""
    users = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        and not isinstance(node, ast.ClassDef | ast.FunctionDef)
        and any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))
    ]
    return tuple(sorted({line for node in users for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}))


def _wrongs(scope: ast.AST) -> Iterator[tuple[ast.AST, str, str]]:
    """(what to replace, by what, how it is called)."""
    # Falling off the end is the same as returning nothing there.
    last = scope.body[-1] if isinstance(scope, ast.FunctionDef) else None
    # To leave out all that a condition leads to is the same as never to go there.
    alone = {
        id(node.body[0])
        for node in ast.walk(scope)
        if isinstance(node, ast.If) and len(node.body) == 1 and not node.orelse
    }
    for node in ast.walk(scope):
        if node is scope and isinstance(node, ast.FunctionDef):
            continue
        if node is last and isinstance(node, ast.Return) and (node.value is None or ast.unparse(node.value) == "None"):
            continue
        said = _said(node)
        match node:
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield test, "(False)", f"never: if {_said(test)}"
                if not isinstance(node, ast.While):
                    yield test, "(True)", f"always: if {_said(test)}"
            case ast.BoolOp(values=values):
                for i, value in enumerate(values):
                    rest = [f"({ast.unparse(v)})" for j, v in enumerate(values) if j != i]
                    joiner = " and " if isinstance(node.op, ast.And) else " or "
                    yield node, f"({joiner.join(rest)})", f"without {_said(value)} in {said}"
            case ast.Compare(ops=[op], left=left, comparators=[right]) if type(op) in _SWAPPED:
                swapped = ast.unparse(ast.Compare(left, [_SWAPPED[type(op)]()], [right]))
                yield node, f"({swapped})", f"{_said(node)} as {swapped}"
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.stmt() if id(node) in alone:
                continue
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name("log")))):
                continue
            case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Return() | ast.Continue() | ast.Break():
                yield node, "pass", f"without {said}"
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield node, "pass", f"without {said}"
            case ast.ExceptHandler(body=body, type=kind):
                yield body[0], "raise", f"not catching {_said(kind) if kind else 'anything'}"
            case ast.comprehension(ifs=ifs):
                for test in ifs:
                    yield test, "(True)", f"without the filter {_said(test)}"
            case ast.Dict(keys=keys, values=values) if not isinstance(scope, ast.FunctionDef):
                for key, value in zip(keys, values, strict=True):
                    if key is not None and len(keys) > 1:
                        yield key, f"('no', {ast.unparse(key)})", f"without the entry {_said(key)}: {_said(value)}"


def _wrong_texts(scope: ast.AST, source: str) -> Iterator[tuple[ast.AST, str, str]]:
    """The same for SQL and Lua; as they are written, since the parts of an f-string know no place of their own."""
    inner = {id(part) for node in ast.walk(scope) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(scope):
        if id(node) in inner or not isinstance(node, ast.JoinedStr | ast.Constant):
            continue
        text = ast.get_source_segment(source, node) or ""
        for new, what in _in_text(text) if "\n" in text else ():
            yield node, new, what


def _in_text(text: str) -> Iterator[tuple[str, str]]:
    if "redis.call" in text:
        lines = text.splitlines(keepends=True)
        for i, line in enumerate(lines):
            words = line.strip()
            if '"""' not in words and words != "end" and "local " not in words and not words.endswith("then"):
                yield "".join(lines[:i] + lines[i + 1 :]), f"without {words}"
        return
    for pattern in _SQL_GUARDS:
        for found in pattern.finditer(text):
            yield text[: found.start()] + text[found.end() :], f"without {' '.join(found.group().split())}"


def _said(node: ast.AST) -> str:
    try:
        text = " ".join(ast.unparse(node).split())
    except (AttributeError, ValueError):
        return type(node).__name__
    return text if len(text) <= 70 else f"{text[:69]}…"


def _spliced(source: str, node: ast.AST, new: str) -> str:
    """The source with a node's text replaced; lines are counted in bytes by ast."""
    lines = source.encode().splitlines(keepends=True)
    first, last = node.lineno - 1, node.end_lineno - 1  # type: ignore[attr-defined]
    head = lines[first][: node.col_offset]  # type: ignore[attr-defined]
    tail = lines[last][node.end_col_offset :]  # type: ignore[attr-defined]
    # What follows keeps its line number.
    filler = b"\n" * (last - first) if tail.strip() in (b"", b":") else b""
    return b"".join([*lines[:first], head + new.encode() + tail + filler, *lines[last + 1 :]]).decode()
