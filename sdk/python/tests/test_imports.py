"""The packages of the SDK, and which of them may import which."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import upload_response as ur

ROOT = Path(ur.__file__).parent

# A package, or a module of the top level, and what it may import besides itself.
MAY_IMPORT = {
    "_version": set[str](),
    "_core": {"_version"},
    "_threads": {"_core"},
    "_aio": {"_core"},
    "_serving": {"_core", "_threads", "_aio"},
    "wsgi": {"_core", "_threads", "_serving", "_version"},
    "asgi": {"_core", "_aio", "_serving"},
    "_command": {"_core", "_serving", "wsgi", "asgi", "_version"},
    "__init__": {"_core", "_threads", "_aio", "_serving", "_version"},
    "__main__": {"_command"},
}


def name_of(path: Path) -> str:
    """Return the name of a module below the package: _core.link, or _core for its __init__."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def is_package(path: Path) -> bool:
    """Return whether a module is the __init__ of a package below ours."""
    return path.name == "__init__.py" and path.parent != ROOT


def imports_of(source: str, module: str, is_package: bool, modules: set[str]) -> set[str]:
    """Return which modules a module imports, wherever in it: in functions, and for types only."""
    here = [] if module in ("__init__", "__main__") else module.split(".")
    if not is_package:
        here = here[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("upload_response") for alias in node.names), "not relative"
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = ".".join([*here[: len(here) - node.level + 1], *(node.module or "").split(".")]).strip(".")
        for alias in node.names:
            full = f"{base}.{alias.name}".strip(".")
            found.add(full if full in modules else base)
    return found


def graph() -> dict[str, set[str]]:
    """Return each module with the modules that it imports."""
    paths = {name_of(path): path for path in ROOT.rglob("*.py")}
    return {
        name: imports_of(path.read_text(), name, is_package(path), set(paths)) for name, path in paths.items()
    }


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Return modules that import one another in a circle, or nothing."""
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return []
        for other in sorted(edges.get(module, ())):
            found = visit(other, [*way, module])
            if found:
                return found
        done.add(module)
        return []

    return next((found for module in sorted(edges) if (found := visit(module, []))), [])


def forbidden(edges: dict[str, set[str]]) -> list[str]:
    """Return the imports that go in a direction that is not allowed."""
    return [
        f"{module} imports {other}"
        for module, others in sorted(edges.items())
        for other in sorted(others)
        if (package := module.split(".")[0]) != (target := other.split(".")[0])
        and target not in MAY_IMPORT.get(package, set())
    ]


def test_every_package_has_a_row() -> None:
    assert {module.split(".")[0] for module in graph()} == set(MAY_IMPORT)


def test_no_modules_import_one_another_in_a_circle() -> None:
    assert circle(graph()) == []


def test_packages_import_only_what_they_may() -> None:
    assert forbidden(graph()) == []


@pytest.mark.parametrize(
    ("source", "imports"),
    [
        ("from .errors import Error", {"_core.errors"}),
        ("from .._threads.bell import Bell", {"_threads.bell"}),
        ("from .._threads import bell", {"_threads.bell"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ._aio import worker", {"_core._aio"}),
        ("def f():\n    from . import errors", {"_core.errors"}),
    ],
)
def test_an_import_is_seen_wherever_it_stands(source: str, imports: set[str]) -> None:
    assert imports_of(source, "_core.link", False, {*graph(), "_core._aio"}) == imports


def test_a_circle_and_a_wrong_direction_are_found() -> None:
    edges = {"_core.a": {"_core.b"}, "_core.b": {"_core.c"}, "_core.c": {"_core.b", "_threads.d"}}
    assert circle(edges) == ["_core.b", "_core.c", "_core.b"]
    assert forbidden(edges) == ["_core.c imports _threads.d"]
