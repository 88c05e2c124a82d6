"""All services have the same shape: who knows one knows them all."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from tests.tidy.source import ROOT, place, tree

from fogbank.cloud import SERVICES
from fogbank.core.models import service_model
from fogbank.services.kit import Service

pytestmark = pytest.mark.xdist_group("tidy")  # one worker, so that every file is parsed once

NAMES = ["__init__.py", "api.py", "model.py", "storage.py", "errors.py"]
"""`worker.py` beside these, where a service does something on its own."""
ORDER = {"api": 5, "worker": 4, "storage": 3, "model": 2, "errors": 1}
"""Imports within a service go down only: api, worker, storage, model, errors."""
PACKAGES = sorted({service.__module__.split(".")[2] for service in SERVICES.values()})


def folder(package: str) -> Path:
    return ROOT / "src" / "fogbank" / "services" / package


@pytest.mark.parametrize("package", PACKAGES)
def test_a_service_has_its_names(package: str) -> None:
    """Six names (five where it does nothing on its own), and migrations; what is more begins with `_`."""
    missing = [name for name in NAMES if not (folder(package) / name).exists()]
    assert not missing, f"services/{package} lacks {missing}"
    assert list((folder(package) / "migrations").glob("0001_*.sql"))
    others = [
        path.name
        for path in folder(package).iterdir()
        if path.suffix == ".py" and not path.name.startswith("_") and path.name not in [*NAMES, "worker.py"]
    ]
    allowed = {"cloudformation": ["engine.py"]}.get(package, [])  # the protocol that fogbank.templates implements
    assert sorted(others) == allowed, f"services/{package}: {others} are neither of the names nor private"


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_within_a_service_go_down(package: str) -> None:
    """A model that imports its storage has turned round."""
    for name, level in ORDER.items():
        path = folder(package) / f"{name}.py"
        if not path.exists():
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = node.module.split(".")
                if parts[:3] == ["fogbank", "services", package] and len(parts) == 4:
                    other = ORDER.get(parts[3], 0)
                    assert other < level, f"{place(path)}:{node.lineno} imports {node.module}"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_exports_its_services_and_introduces_them(package: str) -> None:
    """The package's docstring is the service's one page; its `__all__` has little beside the class."""
    module = importlib.import_module(f"fogbank.services.{package}")
    assert module.__doc__
    assert len(module.__doc__) > 200, f"services/{package}: the docstring is to introduce the service"
    assert any(issubclass(kind, Service) for _, kind in inspect.getmembers(module, inspect.isclass))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_operations_are_those_of_the_model(name: str) -> None:
    """A public coroutine of a service that takes a call is an operation that the model names."""
    model = service_model(name)
    methods = {model.operation(operation).method_name for operation in model.operation_names}
    for attribute, value in inspect.getmembers(SERVICES[name], inspect.iscoroutinefunction):
        parameters = list(inspect.signature(value).parameters)
        if not attribute.startswith("_") and parameters[1:] == ["call", "request"]:
            assert attribute in methods, f"{name}.{attribute} is no operation"
