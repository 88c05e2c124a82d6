"""Whether a request keeps to its operation's model, and AWS's words for it when it does not.

    problems = check(operation, request)
    if problems:
        raise ValidationError(describe(problems))

A checker is compiled for each operation when it is first asked for; a request that is in order costs about a
microsecond.
"""

from fogbank.core.validation.checker import check
from fogbank.core.validation.problem import Constraint, Problem
from fogbank.core.validation.regex import UnsupportedPatternError, compile_pattern
from fogbank.core.validation.wording import describe, describe_one, java_hash, java_text

__all__ = [
    "Constraint",
    "Problem",
    "UnsupportedPatternError",
    "check",
    "compile_pattern",
    "describe",
    "describe_one",
    "java_hash",
    "java_text",
]
