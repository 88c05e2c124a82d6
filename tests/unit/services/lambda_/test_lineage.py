"""A lineage counts how often each function has handled what came of one event; traces carry it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.ids import Ids
from fogbank.core.trace import Trace
from fogbank.services.lambda_._lineage import MAX_TIMES, join, mark, step

ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
ONE, OTHER = (f"arn:aws:lambda:us-east-1:000000000000:function:{name}" for name in ("f", "g"))


def test_each_function_has_a_count_of_its_own() -> None:
    header, times = step(ROOT, ONE)
    assert (header, times) == (f"{ROOT};Lineage={mark(ONE)}:1", 1)
    header, times = step(header, OTHER)
    assert (header, times) == (f"{ROOT};Lineage={mark(ONE)}:1|{mark(OTHER)}:1", 1)
    header, times = step(header, ONE)
    assert (header, times) == (f"{ROOT};Lineage={mark(OTHER)}:1|{mark(ONE)}:2", 2)


def test_an_event_without_a_trace_has_no_lineage() -> None:
    assert step("", ONE) == ("", 1)


def test_several_lineages_become_one_with_the_highest_counts() -> None:
    assert join(["aaaaaaaa:1|bbbbbbbb:5", "aaaaaaaa:3"]) == "aaaaaaaa:3|bbbbbbbb:5"
    assert join([]) == ""


@given(st.lists(st.sampled_from([ONE, OTHER, *(f"{ONE}{n}" for n in range(40))]), min_size=1, max_size=80))
def test_a_lineage_survives_the_trace_header_and_stays_short(arns: list[str]) -> None:
    header = ROOT
    for arn in arns:
        header, times = step(header, arn)
        assert times >= 1
        trace = Trace.parse(header.replace("|", "%7C"))  # as AWS's SDKs send it
        assert trace is not None
        assert trace.header == header
        assert trace.child(Ids(seed=1)).lineage == trace.lineage
    assert len(header) < 512


@given(st.text(max_size=40))
def test_a_lineage_that_is_none_is_forgotten(text: str) -> None:
    trace = Trace.parse(f"{ROOT};Lineage={text}")
    assert trace is not None
    for _ in range(MAX_TIMES):
        step(trace.header, ONE)
