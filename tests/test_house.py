"""House rules that no linter has."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = [p for room in ("agent", "drivers") for p in sorted((ROOT / room).rglob("*.py"))]
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
THREADS = {"run_in_executor", "ThreadPoolExecutor", "Thread"}

EVERY = pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def depth(node: ast.AST, *, elif_: bool = False) -> int:
    inside = max((depth(child, elif_=chained) for child, chained in _children(node)), default=0)
    return inside + (isinstance(node, BLOCKS) and not elif_)


def _children(node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        yield child, isinstance(node, ast.If) and node.orelse == [child]


@EVERY
def test_a_module_fits_in_the_head(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@EVERY
def test_nothing_is_nested_deeper_than_three(path: Path) -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    deep = [f.name for f in ast.walk(parse(path)) if isinstance(f, functions) and depth(f) > 3]
    assert deep == []


@EVERY
def test_threads_live_in_the_buffer_and_on_serial_modbus_lines_only(path: Path) -> None:
    names = {n.attr for n in ast.walk(parse(path)) if isinstance(n, ast.Attribute)}
    names |= {n.id for n in ast.walk(parse(path)) if isinstance(n, ast.Name)}
    assert not names & THREADS or "buffer" in path.parts or path.name == "serial_wire.py"


@EVERY
def test_every_task_has_a_name(path: Path) -> None:
    calls = [n for n in ast.walk(parse(path)) if isinstance(n, ast.Call)]
    tasks = [c for c in calls if getattr(c.func, "attr", "") == "create_task"]
    assert [c.lineno for c in tasks if "name" not in {k.arg for k in c.keywords}] == []
