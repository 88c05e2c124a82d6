"""What the model of CloudFormation says of signals."""

from __future__ import annotations

import json

import pytest

from fogbank.services.cloudformation.model import MAX_SIGNALS, with_signal


class TestSignals:
    """What a wait condition's handle is told."""

    @pytest.mark.parametrize(
        "data", [b"", b"[]", b"\xff", b"[" * 5000, b'{"Status": "SUCCESS", "UniqueId": 1}', b'{"Status": "success"}']
    )
    def test_what_is_no_signal_changes_nothing(self, data: bytes) -> None:
        assert with_signal(None, data) is None

    def test_a_repetition_counts_once(self) -> None:
        first = with_signal(None, b'{"Status": "SUCCESS", "UniqueId": "a", "Data": "1"}')
        assert with_signal(first, b'{"Status": "FAILURE", "UniqueId": "a"}') == first
        second = with_signal(first, b'{"Status": "FAILURE", "UniqueId": "b", "Reason": "r"}')
        assert [each["UniqueId"] for each in json.loads(second or "")] == ["a", "b"]

    def test_there_is_a_limit_to_how_many_are_kept(self) -> None:
        stored = None
        for number in range(MAX_SIGNALS + 3):
            stored = with_signal(stored, json.dumps({"Status": "SUCCESS", "UniqueId": str(number)}).encode())
        assert len(json.loads(stored or "")) == MAX_SIGNALS
