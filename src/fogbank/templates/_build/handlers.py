"""Whether a Python function's handler is there: told at build time, not by the first event."""

from __future__ import annotations

import ast
from pathlib import Path

from fogbank.templates._build.errors import BuildError


def check_handler(
    logical_id: str, folder: Path, source: Path, runtime: str | None, handler: str | None, where: str
) -> None:
    """Raise `BuildError` if a Python handler's module, or the name in it, does not exist."""
    if runtime is None or not runtime.startswith("python") or handler is None:
        return
    module, dot, name = handler.rpartition(".")
    if not dot or not module or not name:
        raise BuildError(
            f"{logical_id}: its handler {handler!r} names no function", where=where, do="write Handler: module.function"
        )
    relative = module.replace(".", "/")
    places = [folder / f"{relative}.py", folder / relative / "__init__.py"]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        if (folder / relative).is_dir() or list((folder / relative).parent.glob(f"{Path(relative).name}.*")):
            return  # a namespace package, an extension module or compiled code
        raise BuildError(
            f"{logical_id}: its handler {handler} is in {relative}.py, which does not exist",
            where=where,
            do=f"it is looked for in {source}",
        )
    try:
        tree = ast.parse(found.read_bytes(), str(found))
    except SyntaxError as error:
        place = source / found.relative_to(folder)
        raise BuildError(
            f"{logical_id}: its handler's module cannot be read: {error.msg}",
            where=f"{place}:{error.lineno}",
            do="mend the syntax",
        ) from None
    if not _defines(tree, name):
        raise BuildError(
            f"{logical_id}: {relative}.py has no {name}, which its handler {handler} names",
            where=f"{source / found.relative_to(folder)}:1",
            do=f"define {name}(event, context), or change Handler",
        )


def _defines(tree: ast.Module, name: str) -> bool:
    """Whether a module may have a name at its top: it is defined, assigned or imported somewhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
            return True
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = {alias.asname or alias.name for alias in node.names}
            if name in names or "*" in names:
                return True
    return False
