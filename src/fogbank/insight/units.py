"""Every unit that AWS bills and Fogbank meters.

The first part of a unit's name is the service, as botocore calls it. `Kind.STANDING` units are billed for being
there: they are not counted when something happens, but found when the bill is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """When a unit is counted."""

    EVENT = "event"
    """When something happens."""
    STANDING = "standing"
    """For as long as something is there: quantities are for each hour."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A billed unit."""

    name: str
    title: str
    """What one of it is, in words."""
    kind: Kind = Kind.EVENT


_ROWS = (
    ("lambda.requests", "invocations; further ones for each 64 KB of an asynchronous event past 256 KB"),
    ("lambda.gb-seconds.x86_64", "GB-seconds of duration on x86, to the millisecond, init included"),
    ("lambda.gb-seconds.arm64", "GB-seconds of duration on Arm"),
    ("lambda.provisioned-duration.x86_64", "GB-seconds of duration on provisioned concurrency, x86"),
    ("lambda.provisioned-duration.arm64", "GB-seconds of duration on provisioned concurrency, Arm"),
    ("lambda.storage-gb-seconds", "GB-seconds of ephemeral storage past 512 MB"),
    ("lambda.snapstart-restored-gb", "GB of memory restored from a snapshot"),
    ("lambda.streamed-gb", "GB of streamed responses past 6 MB each"),
    ("sqs.requests.standard", "requests to standard queues, a payload of 64 KB each"),
    ("sqs.requests.fifo", "requests to FIFO queues, a payload of 64 KB each"),
    ("events.custom", "custom events published, 64 KB each"),
    ("events.scheduled", "firings of scheduled rules, which are free"),
    ("events.replayed", "events replayed from an archive, 64 KB each"),
    ("events.archived-gb", "GB of events put into archives"),
    ("events.api-destination", "invocations of API destinations, 64 KB each"),
    ("scheduler.invocations", "invocations of schedules"),
    ("pipes.requests", "requests of pipes after filtering, 64 KB each"),
    ("stepfunctions.transitions", "state transitions of Standard workflows, retries included"),
    ("stepfunctions.express-requests", "executions of Express workflows"),
    ("stepfunctions.express-gb-seconds", "GB-seconds of Express workflows, 64 MB and 100 ms at a time"),
    ("dynamodb.read-units", "read request units: 4 KB, half when eventually consistent, double in a transaction"),
    ("dynamodb.write-units", "write request units: 1 KB, double in a transaction, indexes on top"),
    ("dynamodb.restored-gb", "GB of tables restored from backups"),
    ("dynamodb.stream-reads", "reads of streams by others than Lambda"),
    ("logs.ingested-gb", "GB of log events taken in, 26 bytes on top of each"),
    ("logs.scanned-gb", "GB scanned by Logs Insights queries"),
    ("logs.tail-minutes", "minutes of live tail"),
    ("cloudwatch.requests", "metric API requests"),
    ("cloudwatch.metrics-read", "metrics asked for by GetMetricData"),
    ("xray.traces-recorded", "traces recorded"),
    ("xray.traces-read", "traces retrieved or scanned"),
    ("s3.requests.write", "requests that put, copy, post or list"),
    ("s3.requests.read", "requests that get, and all others but deletions, which are free"),
    ("sns.requests", "publications, 64 KB each"),
    ("sns.requests.fifo", "publications to FIFO topics"),
    ("sns.fifo-published-gb", "GB published to FIFO topics"),
    ("sns.fifo-deliveries", "messages from FIFO topics to their subscriptions"),
    ("sns.fifo-delivered-gb", "GB from FIFO topics to their subscriptions"),
    ("sns.http-notifications", "notifications to web servers"),
    ("kms.requests", "requests to KMS"),
    ("secretsmanager.requests", "requests to Secrets Manager"),
    ("apigateway.http-requests", "requests to HTTP APIs, 512 KB each"),
    ("apigateway.rest-requests", "requests to REST APIs"),
)
_STANDING = (
    ("lambda.provisioned-gb-seconds.x86_64", "GB-seconds of provisioned concurrency, x86"),
    ("lambda.provisioned-gb-seconds.arm64", "GB-seconds of provisioned concurrency, Arm"),
    ("lambda.snapstart-cache-gb-seconds", "GB-seconds of cached snapshots of published versions"),
    ("dynamodb.read-capacity-hours", "hours of provisioned read capacity units"),
    ("dynamodb.write-capacity-hours", "hours of provisioned write capacity units"),
    ("dynamodb.stored-gb-hours", "GB-hours of tables and indexes"),
    ("dynamodb.backup-gb-hours", "GB-hours of backups on demand"),
    ("dynamodb.recovery-gb-hours", "GB-hours of tables with point-in-time recovery"),
    ("events.archive-gb-hours", "GB-hours of archived events"),
    ("logs.stored-gb-hours", "GB-hours of stored logs"),
    ("s3.stored-gb-hours", "GB-hours of objects, all versions, in STANDARD"),
    ("s3.infrequent-gb-hours", "GB-hours of objects in STANDARD_IA"),
    ("s3.onezone-gb-hours", "GB-hours of objects in ONEZONE_IA"),
    ("s3.instant-archive-gb-hours", "GB-hours of objects in GLACIER_IR"),
    ("s3.flexible-archive-gb-hours", "GB-hours of objects in GLACIER"),
    ("s3.deep-archive-gb-hours", "GB-hours of objects in DEEP_ARCHIVE"),
    ("cloudwatch.metric-hours", "metric-hours of custom metrics"),
    ("cloudwatch.alarm-hours", "alarm-hours"),
    ("fargate.vcpu-hours", "vCPU-hours of containers on Fargate, for comparison"),
    ("fargate.gb-hours", "GB-hours of containers on Fargate, for comparison"),
    ("cloudwatch.dashboard-hours", "dashboard-hours"),
    ("secretsmanager.secret-hours", "secret-hours"),
    ("sqs.idle-polls", "empty receives that AWS's pollers make of a queue with a trigger: five at once, 20 s each"),
)

UNITS: dict[str, Unit] = {name: Unit(name, title) for name, title in _ROWS} | {
    name: Unit(name, title, Kind.STANDING) for name, title in _STANDING
}
"""Every unit by its name."""


OBSERVED = "observed."
"""What begins so is counted beside the bill, for the audit: matches of rules, payloads near the limits."""


def service_of(unit: str) -> str:
    """The service that bills a unit: `sqs` of `sqs.requests.fifo`."""
    return unit.partition(".")[0]
