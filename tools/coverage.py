"""Writes docs/coverage.md: of each service's operations, which Fogbank has, which its tests call, which are absent.

    python tools/coverage.py            write the page
    python tools/coverage.py --check    say whether it is current; exit code 1 if it is not

An operation is implemented if the service's class has a method for it. It counts as tested if a row of
tests/conformance is about it or if a file tests/services/test_<service>* (or in a folder tests/services/<service>)
names it, as a boto3 method or by its own name: all of these tests call a real server over the wire, or the assembled
cloud in virtual time.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from fogbank.cloud import SERVICES
from fogbank.core.models import service_model
from fogbank.services.kit import Service

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coverage.md"
TABLES = ROOT / "tests" / "conformance"
SUITES = ROOT / "tests" / "services"

HEADER = """\
# Coverage

Written by `make coverage` from the services and their tests; a test fails when it is out of date.

*Implemented*: the service has the operation. *Tested*: a row of the conformance tables is about it, or the service's
tests call it. *Absent*: it is answered with status 501 and a message that names it. An operation that is implemented
may still lack a parameter; a request that uses such a parameter is answered in the same way, never half done.
"""


class RowLoader(yaml.CSafeLoader):
    """YAML with the tables' `!bytes`."""


RowLoader.add_constructor("!bytes", lambda _loader, node: node.value)


@dataclass(frozen=True)
class Coverage:
    """A service's operations, in alphabetical order."""

    name: str
    title: str
    introduction: str
    operations: tuple[str, ...]
    implemented: frozenset[str]
    tested: frozenset[str]
    rows: int

    def listed(self, names: Iterable[str]) -> str:
        """Operations as a paragraph."""
        return ", ".join(f"`{name}`" for name in self.operations if name in set(names))


def survey(name: str, service: type[Service]) -> Coverage:
    """Look at one service."""
    model = service_model(name)
    operations = tuple(sorted(model.operation_names))
    implemented = frozenset(o for o in operations if hasattr(service, model.operation(o).method_name))
    rows = table_operations(name)
    package = service.__module__.split(".")[2]  # a package may hold two services (DynamoDB and its streams)
    named = names_in_tests(name) | names_in_tests(package)
    called = {o for o in operations if o in named or model.operation(o).method_name in named}
    module = sys.modules[service.__module__.rpartition(".")[0]]
    return Coverage(
        name,
        service.__name__,
        introduction(module.__doc__ or ""),
        operations,
        implemented,
        implemented & (frozenset(rows) | called),
        len(rows),
    )


def introduction(docstring: str) -> str:
    """The prose paragraphs of a package's docstring: tables, drawings and lists are for readers of the code."""
    paragraphs = re.split(r"\n\s*\n", docstring.strip())
    prose = [" ".join(p.split()) for p in paragraphs if not re.match(r"\s{2,}|\||-", p)]
    return "\n\n".join(prose)


def table_operations(name: str) -> list[str]:
    """The operation of each row of a service's table."""
    path = TABLES / f"{name}.yaml"
    if not path.exists():
        return []
    table = yaml.load(path.read_text(), RowLoader)
    return [row["operation"] for row in table["rows"]]


def names_in_tests(name: str) -> set[str]:
    """Every attribute and every text in the files of a service's tests."""
    found: set[str] = set()
    for path in [*SUITES.glob(f"test_{name}.py"), *SUITES.glob(f"test_{name}_*.py"), *SUITES.glob(f"{name}/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def render(services: list[Coverage]) -> str:
    """The page."""
    lines = [
        HEADER,
        "| service | operations of AWS | implemented | tested | rows |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| [{s.title}](#{s.name}) | {len(s.operations)} | {len(s.implemented)} | {len(s.tested)} | {s.rows} |"
        for s in services
    ]
    for service in services:
        untested = service.implemented - service.tested
        absent = set(service.operations) - service.implemented
        lines += ["", f"## {service.name}", "", service.introduction]
        for title, names in (
            ("Implemented and tested", service.tested),
            ("Implemented, not yet tested over the wire", untested),
            ("Absent", absent),
        ):
            if names:
                lines += ["", f"**{title}** ({len(names)}): {service.listed(names)}"]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or check it."""
    page = render([survey(name, SERVICES[name]) for name in sorted(SERVICES)])
    if "--check" in arguments:
        if PAGE.exists() and PAGE.read_text() == page:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is out of date; run: make coverage", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page)
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
