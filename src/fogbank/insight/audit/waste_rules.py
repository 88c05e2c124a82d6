"""Waste: what is there and does nothing, or does it dearly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from fogbank.insight.audit.application import (
    BUS,
    FUNCTION,
    LOG_GROUP,
    MAPPING,
    PIPE,
    QUEUE,
    RULE,
    SCHEDULE,
    SUBSCRIPTION,
    TABLE,
    TOPIC,
    Application,
    Resource,
    number,
    same,
)
from fogbank.insight.audit.model import Finding, Rule, Severity

BATCH = 10
_GROUP = "/aws/lambda/"


def _matches_nothing(app: Application) -> Iterator[Finding]:
    rule_ = MATCHES_NOTHING
    for rule in app.all(RULE):
        pattern = rule.properties.get("EventPattern")
        if not isinstance(pattern, dict) or rule.properties.get("State") == "DISABLED":
            continue
        bus = app.named(rule.properties.get("EventBusName"), BUS)
        sources = pattern.get("source")
        if bus is not None and isinstance(sources, list) and sources:
            aws = [one for one in sources if isinstance(one, str) and one.startswith("aws.")]
            if len(aws) == len(sources):
                yield rule_.finding(
                    rule.id,
                    f"it waits on {bus} for events of {', '.join(aws)}, which AWS sends to the default bus alone",
                    f"Resources:\n  {rule.id}:\n    Properties:\n      EventBusName: default",
                )
                continue
        came = app.run.events.get(bus or "default", 0)
        if came and app.run.matches.get(rule.id) == 0:
            yield rule_.finding(
                rule.id,
                "its pattern matched no event",
                f"Resources:\n  {rule.id}:   # mend its EventPattern, or remove it",
                evidence=f"{came:.0f} events came to {bus or 'the default bus'}, and it matched none",
            )


MATCHES_NOTHING = Rule(
    "W01",
    "A rule matches nothing",
    Severity.WARNING,
    "A rule whose pattern never matches is dead weight at best; mostly it is a misspelt field, and what should follow "
    "from the event does not happen. Events of AWS's own services come to the default bus only.",
    "Mend the pattern (try it with `aws events test-event-pattern`), or remove the rule.",
    _matches_nothing,
    "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html",
)


def _disabled(app: Application) -> Iterator[Finding]:
    for resource in app.all(RULE, SCHEDULE, MAPPING, PIPE):
        name = {MAPPING: "Enabled", PIPE: "DesiredState"}.get(resource.type, "State")
        value = resource.properties.get(name)
        if str(value).lower() in ("disabled", "false", "stopped"):
            yield DISABLED.finding(
                resource.id,
                f"it is disabled ({name}: {value}), so nothing comes of it",
                f"Resources:\n  {resource.id}:   # remove it, or\n    Properties:\n      {name}: {_on(name)}",
            )


def _on(name: str) -> str:
    return {"Enabled": "true", "DesiredState": "RUNNING"}.get(name, "ENABLED")


DISABLED = Rule(
    "W02",
    "A rule, schedule, mapping or pipe is disabled",
    Severity.NOTE,
    "What is disabled in the template is either forgotten or switched on by hand somewhere, and the next deployment "
    "switches it off again.",
    "Remove it, or enable it in the template.",
    _disabled,
)


def _duplicate(app: Application) -> Iterator[Finding]:
    for one, other in combinations(app.all(RULE), 2):
        a, b = one.properties, other.properties
        alike = all(same(a.get(name), b.get(name)) for name in ("EventBusName", "EventPattern", "ScheduleExpression"))
        if not alike or not (a.get("EventPattern") or a.get("ScheduleExpression")):
            continue
        shared = [t for t in a.get("Targets") or () if any(same(_arn(t), _arn(u)) for u in b.get("Targets") or ())]
        if shared:
            times = app.run.matches.get(other.id, 0)
            function = app.named(_arn(shared[0]), FUNCTION)
            yield DUPLICATE.finding(
                other.id,
                f"it matches the same events as {one.id} and sends them to the same target: each is handled twice",
                f"Resources:\n  {other.id}:   # remove it: {one.id} does the same",
                evidence=f"{times} events were handled twice" if times else "",
                dollars=_invocations(app, function, times) if times else None,
            )


def _arn(target: Any) -> Any:
    return target.get("Arn") if isinstance(target, dict) else None


def _invocations(app: Application, function: str | None, times: float) -> float | None:
    """What so many invocations of a function cost a month, as long as they were in the run."""
    run = app.run.functions.get(function or "")
    if run is None:
        return None
    monthly = app.run.month(times)
    seconds = run.busy / max(1, run.invocations) * monthly * run.memory / 1024
    return app.run.dollars("lambda.requests", monthly) + app.run.dollars("lambda.gb-seconds.x86_64", seconds)


DUPLICATE = Rule(
    "W03",
    "Two rules do the same",
    Severity.WARNING,
    "Two rules of one bus with one pattern and one target deliver each event twice.",
    "Remove one of them.",
    _duplicate,
)


def _without_consumer(app: Application) -> Iterator[Finding]:
    for rule in app.all(RULE):
        if not rule.properties.get("Targets"):
            yield _lonely(rule, "it has no target: what it matches goes nowhere")
    used = _used(app)
    for queue in app.all(QUEUE):
        if queue.id not in used["read"] and queue.id not in used["dead"]:
            yield _lonely(queue, "nothing takes messages from it: no mapping, no pipe, no function that knows it")
    subscribed = {app.named(s.properties.get("TopicArn"), TOPIC) for s in app.all(SUBSCRIPTION)}
    for topic in app.all(TOPIC):
        if topic.id not in subscribed and not topic.properties.get("Subscription"):
            yield _lonely(topic, "nothing subscribes to it")
    streams = {source for _, source, _ in app.mappings(TABLE)}
    streams |= {app.named(pipe.properties.get("Source"), TABLE) for pipe in app.all(PIPE)}
    for table in app.all(TABLE):
        if table.properties.get("StreamSpecification") and table.id not in streams:
            yield _lonely(table, "its stream is on and nothing in the template reads it")


def _lonely(resource: Resource, what: str) -> Finding:
    change = f"Resources:\n  {resource.id}:   # give it a consumer, or remove it"
    if resource.type == TABLE:
        change = (
            f"Resources:\n  {resource.id}:\n    Properties:\n      StreamSpecification:   # remove, or add a mapping"
        )
    return WITHOUT_CONSUMER.finding(resource.id, what, change)


def _used(app: Application) -> dict[str, set[str | None]]:
    """Queues that something reads, and those that are for dead letters."""
    read: set[str | None] = {source for _, source, _ in app.mappings(QUEUE)}
    read |= {app.named(pipe.properties.get("Source"), QUEUE) for pipe in app.all(PIPE)}
    for function in app.all(FUNCTION):
        variables = (function.properties.get("Environment") or {}).get("Variables") or {}
        sends = app.writes(function.id)
        for value in variables.values():
            named = app.named(value, QUEUE)
            if named is not None and named not in sends:
                read.add(named)
    dead: set[str | None] = set()
    for resource in app.resources.values():
        for value in _dead_letters(resource.properties):
            dead.add(app.named(value, QUEUE))
    return {"read": read, "dead": dead}


def _dead_letters(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _dead_letters(item)
    elif isinstance(value, dict):
        for key, child in value.items():
            if key in ("deadLetterTargetArn", "DeadLetterConfig", "OnFailure", "DeadLetterQueue"):
                yield child
            else:
                yield from _dead_letters(child)


WITHOUT_CONSUMER = Rule(
    "W04",
    "Something is sent and nobody takes it",
    Severity.WARNING,
    "A rule without target, a queue, topic or stream without consumer: producers are paid for, and what they send "
    "expires unread.",
    "Add the consumer, or remove the resource.",
    _without_consumer,
)


def _same_code(app: Application) -> Iterator[Finding]:
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for function in app.all(FUNCTION):
        code = app.code.get(function.id)
        if code is not None and code.files:
            groups[code.digest, str(function.properties.get("Handler"))].append(function.id)
    for first, *others in groups.values():
        for other in others:
            yield SAME_CODE.finding(
                other,
                f"it has the same code and handler as {first}",
                f"Resources:\n  {other}:   # remove it, and let {first} serve its triggers",
                evidence=f"digest {app.code[other].digest[:12]}",
            )


SAME_CODE = Rule(
    "W05",
    "Functions with the same code",
    Severity.NOTE,
    "Two functions with one code and handler have two pools of environments: twice the cold starts, twice the "
    "provisioned concurrency, two places to configure.",
    "Use one function with both triggers, unless they need different roles, memory or concurrency.",
    _same_code,
)


def _per_item(app: Application) -> Iterator[Finding]:
    for mapping, source, function in app.mappings():
        if source is None or app.resources[source].type not in (QUEUE, TABLE):
            continue
        default = 10 if app.resources[source].type == QUEUE else 100
        if number(mapping.properties.get("BatchSize"), default) > 1:
            continue
        run = app.run.functions.get(function or "")
        saved = None
        evidence = ""
        if run is not None and run.invocations > 1:
            spared = run.invocations * (1 - 1 / BATCH)
            saved = app.run.dollars("lambda.requests", app.run.month(spared))
            evidence = f"{run.invocations} invocations for {run.invocations} items"
        yield PER_ITEM.finding(
            mapping.id,
            f"each item of {source} is an invocation of {function or 'its function'} of its own",
            f"Resources:\n  {mapping.id}:\n    Properties:\n      BatchSize: {BATCH}\n"
            "      FunctionResponseTypes: [ReportBatchItemFailures]",
            evidence=evidence,
            dollars=saved,
        )


PER_ITEM = Rule(
    "W06",
    "An invocation for every item",
    Severity.WARNING,
    "With a batch size of 1 every message or record costs an invocation, and its share of the runtime's overhead. A "
    "batch of ten costs one.",
    "Raise BatchSize, and report failures by item, so that one bad item does not bring back the others.",
    _per_item,
    "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
)


def _no_retention(app: Application) -> Iterator[Finding]:
    groups: dict[str, Resource] = {}
    for group in app.all(LOG_GROUP):
        name = group.properties.get("LogGroupName")
        for function in app.all(FUNCTION):
            own = function.properties.get("LoggingConfig") or {}
            if app.named(own.get("LogGroup"), LOG_GROUP) == group.id or _names(name, function):
                groups[function.id] = group
        if not group.properties.get("RetentionInDays"):
            yield NO_RETENTION.finding(
                group.id, "what is written to it is kept, and paid for, for ever", _retention(group.id)
            )
    for function in app.all(FUNCTION):
        if function.id in groups:
            continue
        gigabytes = app.run.logged.get(function.id, 0.0)
        monthly = app.run.month(gigabytes)
        yield NO_RETENTION.finding(
            function.id,
            "its log group is made by itself, without retention: it is kept, and paid for, for ever",
            f"Resources:\n  {function.id}Logs:\n    Type: AWS::Logs::LogGroup\n    Properties:\n"
            f"      LogGroupName: !Sub {_GROUP}${{{function.id}}}\n      RetentionInDays: 14",
            evidence=f"it wrote {gigabytes * 1024:.3f} MB" if gigabytes else "",
            dollars=app.run.dollars("logs.stored-gb-hours", monthly * 730) * 12 if gigabytes else None,
        )


def _retention(name: str) -> str:
    return f"Resources:\n  {name}:\n    Properties:\n      RetentionInDays: 14"


def _names(name: Any, function: Resource) -> bool:
    """Whether a log group's name is that of a function's."""
    if isinstance(name, dict) and "Fn::Sub" in name:
        text = name["Fn::Sub"] if isinstance(name["Fn::Sub"], str) else name["Fn::Sub"][0]
        return bool(text == f"{_GROUP}${{{function.id}}}")
    return isinstance(name, str) and name == f"{_GROUP}{function.properties.get('FunctionName')}"


NO_RETENTION = Rule(
    "W09",
    "Logs without retention",
    Severity.NOTE,
    "A log group that nobody gave a retention keeps everything for ever. The amount is what a month's logs cost in the "
    "month a year later, when twelve of them are stored.",
    "Declare the log group with RetentionInDays.",
    _no_retention,
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html",
)

WASTE = (MATCHES_NOTHING, DISABLED, DUPLICATE, WITHOUT_CONSUMER, SAME_CODE, PER_ITEM, NO_RETENTION)
