"""What is billed for being there: read from the server, in quantities for each hour.

Provisioned capacity and concurrency, cached snapshots, stored data, alarms, dashboards, secrets, and the empty receives
that AWS's own pollers make of the queues that trigger functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from fogbank.cli.connection import Connection, error_code
from fogbank.insight.cost import Line
from fogbank.insight.meter import GIGABYTE

POLLS_PER_HOUR = 5 * 3600 / 20
"""Five pollers with long polls of 20 seconds (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html)."""
HOUR = 3600.0
_HIGH_RESOLUTION = (10, 30)
_CLASSES = {
    "STANDARD_IA": "s3.infrequent-gb-hours",
    "ONEZONE_IA": "s3.onezone-gb-hours",
    "GLACIER_IR": "s3.instant-archive-gb-hours",
    "GLACIER": "s3.flexible-archive-gb-hours",
    "DEEP_ARCHIVE": "s3.deep-archive-gb-hours",
}
"""What storage classes of S3 are billed as; the others cost what STANDARD costs."""


def standing(connection: Connection) -> list[Line]:
    """Everything that is there and billed for it; dollars are filled in by whoever prices it."""
    found: list[Line] = []
    for reader in _READERS:
        found += _answered(reader, connection)
    return [line for line in found if line.quantity > 0]


def on_demand(connection: Connection) -> set[str]:
    """The names of tables that are billed by the request."""
    return {
        table["TableName"]
        for table in _described(connection)
        if table.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    }


def _answered(reader: Callable[[Connection], Iterator[Line]], connection: Connection) -> list[Line]:
    """What a reader finds; nothing of a service that this server does not have."""
    try:
        return list(reader(connection))
    except ClientError as error:
        if error_code(error) == "NotImplemented":
            return []
        raise


def _pages(client: Any, operation: str, member: str, **request: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**request):
        yield from page[member]


def _described(connection: Connection) -> Iterator[dict[str, Any]]:
    dynamodb = connection.client("dynamodb")
    for name in _pages(dynamodb, "list_tables", "TableNames"):
        yield dynamodb.describe_table(TableName=name)["Table"]


def _tables(connection: Connection) -> Iterator[Line]:
    dynamodb = connection.client("dynamodb")
    for table in _described(connection):
        arn = table["TableArn"]
        indexes = table.get("GlobalSecondaryIndexes", [])
        if table.get("BillingModeSummary", {}).get("BillingMode") != "PAY_PER_REQUEST":
            for one in [table, *indexes]:
                throughput = one.get("ProvisionedThroughput", {})
                yield _line("dynamodb.read-capacity-hours", arn, throughput.get("ReadCapacityUnits", 0))
                yield _line("dynamodb.write-capacity-hours", arn, throughput.get("WriteCapacityUnits", 0))
        size = table.get("TableSizeBytes", 0) + sum(index.get("IndexSizeBytes", 0) for index in indexes)
        yield _line("dynamodb.stored-gb-hours", arn, size / GIGABYTE)
        continuous = dynamodb.describe_continuous_backups(TableName=table["TableName"])
        recovery = continuous["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        if recovery.get("PointInTimeRecoveryStatus") == "ENABLED":
            yield _line("dynamodb.recovery-gb-hours", arn, size / GIGABYTE)


def _backups(connection: Connection) -> Iterator[Line]:
    for backup in connection.client("dynamodb").list_backups()["BackupSummaries"]:
        yield _line("dynamodb.backup-gb-hours", backup["BackupArn"], backup.get("BackupSizeBytes", 0) / GIGABYTE)


def _functions(connection: Connection) -> Iterator[Line]:
    client = connection.client("lambda")
    for function in _pages(client, "list_functions", "Functions", FunctionVersion="ALL"):
        if function.get("Version") == "$LATEST":
            yield from _provisioned(client, function)
        elif function.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions":
            arn = function["FunctionArn"]
            yield _line("lambda.snapstart-cache-gb-seconds", arn, function["MemorySize"] / 1024 * HOUR)


def _provisioned(client: Any, function: dict[str, Any]) -> Iterator[Line]:
    try:
        found = client.list_provisioned_concurrency_configs(FunctionName=function["FunctionName"])
    except ClientError as error:
        if error_code(error) == "NotImplemented":
            return
        raise
    for config in found["ProvisionedConcurrencyConfigs"]:
        architecture = function.get("Architectures", ["x86_64"])[0]
        gigabytes = config["RequestedProvisionedConcurrentExecutions"] * function["MemorySize"] / 1024
        yield _line(f"lambda.provisioned-gb-seconds.{architecture}", config["FunctionArn"], gigabytes * HOUR)


def _triggers(connection: Connection) -> Iterator[Line]:
    for mapping in _pages(connection.client("lambda"), "list_event_source_mappings", "EventSourceMappings"):
        if ":sqs:" in mapping.get("EventSourceArn", "") and mapping.get("State") == "Enabled":
            yield _line("sqs.idle-polls", mapping["EventSourceArn"], POLLS_PER_HOUR)


def _logs(connection: Connection) -> Iterator[Line]:
    for group in _pages(connection.client("logs"), "describe_log_groups", "logGroups"):
        yield _line("logs.stored-gb-hours", group["arn"], group.get("storedBytes", 0) / GIGABYTE)


def _buckets(connection: Connection) -> Iterator[Line]:
    """All versions of all objects, by what their storage class costs."""
    client = connection.client("s3")
    for bucket in client.list_buckets()["Buckets"]:
        sizes: dict[str, int] = {}
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"]):
            for version in page.get("Versions", ()):
                unit = _CLASSES.get(version["StorageClass"], "s3.stored-gb-hours")
                sizes[unit] = sizes.get(unit, 0) + version["Size"]
        for unit, size in sizes.items():
            yield _line(unit, bucket["BucketArn"], size / GIGABYTE)


def _metrics(connection: Connection) -> Iterator[Line]:
    """Custom metrics: all but those of AWS's own services."""
    for metric in _pages(connection.client("cloudwatch"), "list_metrics", "Metrics"):
        if not metric["Namespace"].startswith("AWS/"):
            yield _line("cloudwatch.metric-hours", metric["Namespace"], 1)


def _alarms(connection: Connection) -> Iterator[Line]:
    """A high-resolution alarm costs as much as three."""
    for alarm in _pages(connection.client("cloudwatch"), "describe_alarms", "MetricAlarms"):
        count = 3 if alarm.get("Period") in _HIGH_RESOLUTION else 1
        yield _line("cloudwatch.alarm-hours", alarm["AlarmArn"], count)


def _dashboards(connection: Connection) -> Iterator[Line]:
    for dashboard in _pages(connection.client("cloudwatch"), "list_dashboards", "DashboardEntries"):
        yield _line("cloudwatch.dashboard-hours", dashboard["DashboardArn"], 1)


def _archives(connection: Connection) -> Iterator[Line]:
    for archive in connection.client("events").list_archives()["Archives"]:
        yield _line("events.archive-gb-hours", archive["ArchiveName"], archive.get("SizeBytes", 0) / GIGABYTE)


def _secrets(connection: Connection) -> Iterator[Line]:
    """Those that are marked for deletion cost nothing, and are not listed."""
    for secret in _pages(connection.client("secretsmanager"), "list_secrets", "SecretList"):
        yield _line("secretsmanager.secret-hours", secret["ARN"], 1)


def _line(unit: str, resource: str, per_hour: float) -> Line:
    return Line(unit, resource, float(per_hour), 0.0)


_READERS = (
    _tables, _backups, _functions, _triggers, _logs, _buckets, _metrics, _alarms, _dashboards, _archives, _secrets,
)  # fmt: skip
