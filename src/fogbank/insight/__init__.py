"""What an application costs, wastes and risks: meters, price book, cost, audit, power tuning, chaos.

| file | idea |
| --- | --- |
| `units.py` | every unit that AWS bills, with what it is |
| `meter.py` | what a request or an invocation uses, in those units: pure functions |
| `charges.py` | which operation is billed how; each that is free, with its source |
| `prices.py` | the price book: a data file for each region, tiers and free tiers |
| `spans.py` | what spans of invocations, states and schedules used |
| `resources.py` | what a request calls a resource, as an ARN and as a name |
| `cost.py` | uses and prices put together: by service, by resource, by trace, for a month |
| `overheads.py` | what is done for many at once, shared out among traces |
| `plots.py` | bars of text, SVG |
| `tuning.py` | memory sizes: time against cost |
| `audit/` | rules of waste and danger |
| `chaos.py` | final states compared |

It reads what the telemetry recorded and suggests; whoever reads templates or calls the server stands above it and
hands values in.
"""
