"""Which code made a result: a hash that comments, docstrings and layout do not change."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


def code_version(modules: Iterable[str], without: Iterable[str] = ()) -> str:
    """A hash of some modules of this checkout and of all that they import from it.

    Imports inside functions count; modules that are not in the checkout do not. `without` are
    modules that are neither hashed nor followed.
    """
    left_out, todo = set(without), list(modules)
    seen: dict[str, str] = {}
    while todo:
        name = todo.pop()
        path = _path_of(name)
        if name in seen or name in left_out or path is None:
            continue
        seen[name], imported = _parsed(path)
        todo += imported
    whole = "\n".join(f"{name} {seen[name]}" for name in sorted(seen))
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def _path_of(module: str) -> Path | None:
    stem = ROOT.joinpath(*module.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


@lru_cache(maxsize=512)
def _parsed(path: Path) -> tuple[str, tuple[str, ...]]:
    """The hash of a file's meaning, and the modules that it may import."""
    source = path.read_text(encoding="utf-8")
    digest = hashlib.sha256(meaning(source).encode()).hexdigest()
    return digest, tuple(_imports(ast.parse(source)))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def meaning(source: str) -> str:
    """The syntax tree of some Python without its docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_text(each)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
