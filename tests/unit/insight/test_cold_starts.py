"""What is made of measured cold starts."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.insight.cold_starts import (
    PARTS,
    Distribution,
    Import,
    Pruned,
    Spread,
    Start,
    Subject,
    document,
    imports_of,
    never_imported,
    parts_of,
    saving,
    spread,
)
from fogbank.insight.cold_starts_plot import svg_of, text_of

START = Start(environment=0.01, runtime=0.002, imports=0.1, init=0.05, first_event=0.003)
SUBJECT = Subject("F<&", "python3.12", 5_000_000, starts=[START, replace(START, init=0.5)])
IMPORTTIME = """\
import time: self [us] | cumulative | imported package
import time:       900 |        900 | encodings
import time:       100 |        100 |     b.deep
import time:       200 |        300 |   b
import time:        50 |         50 |     b.other
import time:        30 |         80 |   c
import time:        10 |        390 | app
import time:         7 |          7 | atexit
"""


def test_the_median_and_the_99th_percentile() -> None:
    assert spread([0.3, 0.1, 0.2]) == Spread(0.2, 0.3)
    assert spread([float(n) for n in range(200)]) == Spread(100.0, 198.0)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_both_are_among_what_was_measured(seconds: list[float]) -> None:
    found = spread(seconds)
    assert {found.median, found.p99} <= set(seconds)
    assert found.median <= found.p99


def test_a_start_is_the_sum_of_its_parts() -> None:
    assert pytest.approx(0.165) == START.total
    assert list(parts_of([START])) == list(PARTS)
    assert saving([0.2], [0.05]) == pytest.approx(0.15)
    assert saving([0.1], [0.2]) == 0.0


def test_imports_are_summed_by_package_below_the_handlers_module() -> None:
    """Of `b`, `b.other` was imported by another package: it is of its own and of `c`'s time."""
    found = imports_of(IMPORTTIME, "app")
    assert found == [
        Import("b", own=0.00035, cumulative=0.00035),
        Import("c", own=0.00003, cumulative=0.00008),
    ]
    assert imports_of(IMPORTTIME, "absent") == []


def package(name: str, size: int = 1, *, requires: frozenset[str] = frozenset()) -> Distribution:
    return Distribution(name, frozenset({name.replace("-", "_")}), size, requires)


def test_what_is_loaded_named_or_required_is_kept() -> None:
    installed = [
        package("loaded", requires=frozenset({"required", "absent"})),
        package("required", requires=frozenset({"loaded"})),
        package("named-later"),
        package("small"),
        package("large", 10),
    ]
    found = never_imported(installed, ["loaded.part"], ["named_later"])
    assert [one.name for one in found] == ["large", "small"]


def test_the_report_for_machines() -> None:
    full = replace(
        SUBJECT,
        restored=[0.02],
        warm=[0.001],
        imports=[Import("b", 0.1, 0.2)],
        pruned=Pruned(("waste",), 100, total=Spread(0.1, 0.2)),
    )
    broken = Subject("G", "python3.12", 0, problem="no")
    first, second = document([full, broken], 2)["functions"]
    assert first["snapStart"]["saves"] == pytest.approx(full.total.median - 0.02)
    assert first["provisionedConcurrency"]["median"] == 0.001
    assert first["pruned"]["packages"] == ["waste"]
    assert second == {"name": "G", "runtime": "python3.12", "package": 0, "problem": "no"}
    without = document([replace(SUBJECT, without_snapshot="threads")], 2)["functions"][0]
    assert without["snapStart"] == {"problem": "threads"}


def test_the_pictures() -> None:
    line, legend = text_of([SUBJECT])
    assert line.startswith("F<& ")
    assert line.endswith(" ms")
    assert "imports" in legend
    picture = ET.fromstring(svg_of([SUBJECT, Subject("G", "x", 0, problem="no")]))
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert "F<&" in texts
    assert "G" not in texts
    assert text_of([]) == []
    assert svg_of([])
