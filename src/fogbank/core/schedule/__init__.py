"""Schedule expressions: `rate(5 minutes)`, `cron(0 9 ? * MON-FRI *)`, `at(2030-01-01T00:00:00)`.

    expression = parse_expression("cron(0 9 ? * MON-FRI *)")
    expression.next_after(now, zone("Europe/Berlin"))

| file | idea |
| --- | --- |
| `expressions.py` | the three kinds, how they are read, and when each comes next |
| `cron.py` | the six fields of a cron expression, and the days that they name |
| `zones.py` | time zones by name, and the two awkward hours of a year |

Everything here is pure; moments are seconds since the epoch. Sources:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html and
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html.
"""

from fogbank.core.schedule.cron import Cron
from fogbank.core.schedule.expressions import (
    At,
    Expression,
    InvalidExpressionError,
    Rate,
    latest,
    parse_expression,
    parse_rule_expression,
)
from fogbank.core.schedule.zones import UTC, UnknownZoneError, zone

__all__ = [
    "UTC",
    "At",
    "Cron",
    "Expression",
    "InvalidExpressionError",
    "Rate",
    "UnknownZoneError",
    "latest",
    "parse_expression",
    "parse_rule_expression",
    "zone",
]
