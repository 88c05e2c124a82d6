r"""The filter pattern language of CloudWatch Logs, compiled to a predicate over log messages.

    ERROR -"timed out"            terms: all must be there, those after `-` must not      (_patterns/terms.py)
    ?ERROR ?WARN                  optional terms: one must be there
    %[45]\d\d%                    a regular expression, of AWS's subset                  (_patterns/regex.py)
    [ip, ..., status = 4*, size]  fields of a space-delimited message                    (_patterns/fields.py)
    { $.latency > 50 && $.e IS NULL }   conditions on a JSON message
    (_patterns/document.py)

Pure: text in, predicate out. Metric filters, subscription filters, FilterLogEvents and Live Tail share it.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html, and the answers
that TestMetricFilter gave to the public suite of the `json_filter` project (recorded 2018): what a wildcard
matches, how quoted and unquoted numbers differ.
"""

from __future__ import annotations

from functools import lru_cache

from fogbank.services.logs._patterns.document import DocumentPattern
from fogbank.services.logs._patterns.fields import FieldsPattern
from fogbank.services.logs._patterns.pattern import Everything, InvalidPattern, Pattern
from fogbank.services.logs._patterns.terms import TermsPattern

__all__ = ["MAX_REGEXES", "InvalidPattern", "Pattern", "compile_pattern"]

MAX_REGEXES = 2
"""Regular expressions in one pattern ("Quotas" of the page above)."""


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> Pattern:
    """Compile a filter pattern; `InvalidPattern` says what is wrong with it. An empty pattern matches all."""
    text = text.strip()
    if not text:
        return Everything()
    pattern: Pattern
    if text.startswith("{"):
        pattern = DocumentPattern.parse(text)
    elif text.startswith("["):
        pattern = FieldsPattern.parse(text)
    else:
        pattern = TermsPattern.parse(text)
    if pattern.regexes > MAX_REGEXES:
        raise InvalidPattern
    return pattern
