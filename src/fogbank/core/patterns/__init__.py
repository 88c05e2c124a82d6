"""The event pattern language of EventBridge: rules, archives, event source mapping filters, pipes.

    pattern = compile_pattern('{"detail": {"state": [{"anything-but": "closed"}]}}')
    pattern.matches({"detail": {"state": "open"}})          # True
    RuleIndex([("rule", pattern)]).matching(event)          # ["rule"]

| file | idea |
| --- | --- |
| `_reader.py` | JSON token by token, with the positions that reports quote |
| `_grammar.py` | the text to branches: the values that each field must have |
| `_values.py` | kinds of values, and the test of one scalar |
| `_wildcards.py`, `_addresses.py` | two kinds of values with rules of their own |
| `_matching.py` | branches to closures over an event: arrays, dots, absence |
| `_pattern.py` | the compiled pattern |
| `_index.py` | many patterns, one event |

Everything here is pure. Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
and eb-create-pattern-operators.html; https://github.com/aws/event-ruler (README) for arrays, dots and `$or`.
"""

from fogbank.core.patterns._errors import InvalidPatternError, TooComplexError
from fogbank.core.patterns._index import RuleIndex
from fogbank.core.patterns._pattern import Pattern, compile_document, compile_pattern

__all__ = [
    "InvalidPatternError",
    "Pattern",
    "RuleIndex",
    "TooComplexError",
    "compile_document",
    "compile_pattern",
]
