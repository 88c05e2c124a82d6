"""Metric math: expressions over time series, compiled once and evaluated on what was read.

    m1 / m2 * 100                     IF(m1 > 0 AND m2 < 5, m1, 0)
    SUM(METRICS("errors"))            FILL(m1, REPEAT)
    SORT(SEARCH('{AWS/SQS,QueueName} MetricName="NumberOfMessagesSent"', 'Sum', 300), MAX, DESC, 5)

| file | idea |
| --- | --- |
| `values.py` | time series, and operations on them |
| `grammar.py` | text to a tree |
| `evaluation.py` | the tree, the operators, the names |
| `functions.py` | the functions |
| `search.py` | the little language inside SEARCH |

Pure: text and series in, series out. Functions that need what Fogbank lacks (anomaly bands, Insights rules, functions'
own data) are refused by name.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

from fogbank.services.cloudwatch._math.evaluation import Expression, compile_expression
from fogbank.services.cloudwatch._math.search import Search, parse_search
from fogbank.services.cloudwatch._math.values import Line, MathError, World

__all__ = ["Expression", "Line", "MathError", "Search", "World", "compile_expression", "parse_search"]
