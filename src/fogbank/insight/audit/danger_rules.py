"""Danger: what loses, repeats or multiplies work."""

from __future__ import annotations

from collections.abc import Iterator

from fogbank.insight.audit.application import (
    BUS,
    FUNCTION,
    QUEUE,
    SCHEDULE,
    TABLE,
    TOPIC,
    Application,
    number,
)
from fogbank.insight.audit.model import Finding, Rule, Severity


def _large_payloads(app: Application) -> Iterator[Finding]:
    for name, count in app.run.large.items():
        if count and name in app.resources:
            yield LARGE_PAYLOADS.finding(
                name,
                "payloads come close to 256 KB: a larger one is refused, or lost on its way",
                f"# claim check: the payload into S3, its key through {name}",
                evidence=f"{count} payloads were larger than 192 KB",
            )


LARGE_PAYLOADS = Rule(
    "D01",
    "Payloads near the limits",
    Severity.WARNING,
    "Many limits along the way are 256 KB: an event's, a state's input and output, asynchronous payloads of older "
    "kinds. An item that grows past one fails there, not where it was made.",
    "Send a claim check: the payload in S3, its key in the message.",
    _large_payloads,
    "https://docs.aws.amazon.com/prescriptive-guidance/latest/cloud-design-patterns/",
)


def _no_dead_letter(app: Application) -> Iterator[Finding]:
    for function, callers in app.asynchronous().items():
        if not app.failure_destination(function):
            yield NO_DEAD_LETTER.finding(
                function,
                f"events from {', '.join(sorted(set(callers)))} that it fails on three times are gone",
                f"Resources:\n  {function}Failures:\n    Type: AWS::SQS::Queue\n  {function}:\n    Properties:\n"
                f"      DeadLetterConfig:\n        TargetArn: !GetAtt {function}Failures.Arn",
            )
    for rule, target in app.targets():
        if not target.get("DeadLetterConfig") and app.named(target.get("Arn")) is not None:
            yield NO_DEAD_LETTER.finding(
                rule.id,
                f"events that cannot be delivered to {app.named(target.get('Arn'))} (a missing permission, a throttle "
                "that lasts) are gone after a day",
                f"Resources:\n  {rule.id}:\n    Properties:\n      Targets:\n"
                "        - DeadLetterConfig: {Arn: !GetAtt DeadLetters.Arn}",
                severity=Severity.NOTE,
            )
    for schedule in app.all(SCHEDULE):
        if not (schedule.properties.get("Target") or {}).get("DeadLetterConfig"):
            yield NO_DEAD_LETTER.finding(
                schedule.id,
                "invocations that cannot be made are gone",
                f"Resources:\n  {schedule.id}:\n    Properties:\n      Target:\n"
                "        DeadLetterConfig: {Arn: !GetAtt DeadLetters.Arn}",
                severity=Severity.NOTE,
            )
    yield from _sources_without(app)


def _sources_without(app: Application) -> Iterator[Finding]:
    for mapping, source, function in app.mappings():
        kind = app.resources[source].type if source else ""
        if kind == QUEUE and source and not app.resources[source].properties.get("RedrivePolicy"):
            yield NO_DEAD_LETTER.finding(
                source,
                f"a message that {function or 'its function'} always fails on comes back until it expires, and is paid "
                "for each time",
                f"Resources:\n  {source}:\n    Properties:\n      RedrivePolicy:\n"
                "        deadLetterTargetArn: !GetAtt DeadLetters.Arn\n        maxReceiveCount: 5",
            )
        elif kind == TABLE and not mapping.properties.get("DestinationConfig"):
            yield NO_DEAD_LETTER.finding(
                mapping.id,
                f"a record that {function or 'its function'} always fails on holds up its shard until it expires, then "
                "it is gone",
                f"Resources:\n  {mapping.id}:\n    Properties:\n      MaximumRetryAttempts: 10\n"
                "      BisectBatchOnFunctionError: true\n      DestinationConfig:\n"
                "        OnFailure: {Destination: !GetAtt DeadLetters.Arn}",
            )


NO_DEAD_LETTER = Rule(
    "D02",
    "Failures go nowhere",
    Severity.WARNING,
    "What is delivered asynchronously is retried a few times and then dropped without a trace, unless there is a "
    "dead-letter queue or a destination for it.",
    "Add a dead-letter queue, a redrive policy or an OnFailure destination; look into it with `fogbank dlq`.",
    _no_dead_letter,
    "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html",
)


def _visibility(app: Application) -> Iterator[Finding]:
    for mapping, source, function in app.mappings(QUEUE):
        if source is None or function is None:
            continue
        timeout = app.timeout(function)
        visible = number(app.resources[source].properties.get("VisibilityTimeout"), 30)
        window = number(mapping.properties.get("MaximumBatchingWindowInSeconds"), 0)
        wanted = 6 * timeout + window
        if visible >= wanted:
            continue
        short = visible < timeout
        yield VISIBILITY.finding(
            source,
            f"messages come back after {visible} s, and {function} may take {timeout}"
            + (": they are handled twice" if short else f"; AWS advises six times that and the batch window: {wanted}"),
            f"Resources:\n  {source}:\n    Properties:\n      VisibilityTimeout: {wanted}",
            severity=Severity.ERROR if short else Severity.NOTE,
        )


VISIBILITY = Rule(
    "D03",
    "Messages come back while they are being handled",
    Severity.ERROR,
    "A message that is not deleted within the visibility timeout is delivered again. Below the function's timeout it "
    "is handled twice at once (Lambda refuses such a mapping); below six times that, throttled batches are early.",
    "Set VisibilityTimeout to six times the function's timeout, and the batch window on top.",
    _visibility,
    "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
)


def _triggers(app: Application) -> dict[str, list[str]]:
    """Functions that get events at least once, with what they get them from."""
    found = {function: list(callers) for function, callers in app.asynchronous().items()}
    for _, source, function in app.mappings():
        if source is not None and function is not None:
            found.setdefault(function, []).append(source)
    return found


def _not_repeatable(app: Application) -> Iterator[Finding]:
    for function, sources in _triggers(app).items():
        differing = app.run.repeats.get(function)
        where = ", ".join(sorted(set(sources)))
        if differing:
            yield NOT_REPEATABLE.finding(
                function,
                f"it is not safe to repeat: what {where} delivers twice ends differently",
                _idempotent(function),
                evidence="fogbank chaos: " + "; ".join(differing[:5]),
                severity=Severity.ERROR,
            )
            continue
        code = app.code.get(function)
        if code is None or function in app.run.repeats or code.guarded():
            continue
        effects = sorted(code.effects())
        if effects:
            yield NOT_REPEATABLE.finding(
                function,
                f"{where} delivers at least once, and nothing in its code speaks of repetition",
                _idempotent(function),
                evidence=f"it calls {', '.join(effects)}; prove it with fogbank chaos",
            )


def _idempotent(function: str) -> str:
    return (
        f"# {function}: make a repetition harmless: an idempotency key (Powertools' idempotent), a condition\n"
        "# on the write (ConditionExpression: attribute_not_exists(...)), or a deduplication id"
    )


NOT_REPEATABLE = Rule(
    "D04",
    "A handler is not safe to repeat",
    Severity.WARNING,
    "EventBridge, SQS, SNS, streams and Lambda's own retries deliver at least once. A handler that does its work again "
    "charges twice. The code is searched for effects and for guards (idempotency keys, conditions, deduplication); "
    "`fogbank chaos` proves it, and its saved report is evidence here (`--chaos FILE`): then it is an error.",
    "Make the effect conditional, or remember what was handled.",
    _not_repeatable,
    "https://docs.powertools.aws.dev/lambda/python/latest/utilities/idempotency/",
)


def _recursion(app: Application) -> Iterator[Finding]:
    edges: dict[str, set[str]] = {}
    for _, source, function in app.mappings():
        if source is not None and function is not None:
            edges.setdefault(source, set()).add(function)
    for rule, target in app.targets():
        called = app.named(target.get("Arn"))
        bus = app.named(rule.properties.get("EventBusName"), BUS)
        if called is not None and bus is not None and rule.properties.get("EventPattern"):
            edges.setdefault(bus, set()).add(called)
    for writer in app.all(FUNCTION):
        written = {name for name in app.writes(writer.id) if app.resources[name].type in _LOOPING}
        edges.setdefault(writer.id, set()).update(written)
    seen: set[frozenset[str]] = set()
    for start in edges:
        cycle = _cycle(edges, start)
        if cycle is None or frozenset(cycle) in seen:
            continue
        seen.add(frozenset(cycle))
        looping = next((name for name in cycle if app.resources[name].type == FUNCTION), cycle[0])
        yield RECURSION.finding(
            looping,
            f"it may trigger itself: {' → '.join([*cycle, cycle[0]])}",
            f"Resources:\n  {looping}:   # write elsewhere, or let the trigger filter out what it writes\n"
            "    Properties:\n      RecursiveLoop: Terminate",
        )


_LOOPING = frozenset({QUEUE, BUS, TABLE, TOPIC, FUNCTION})


def _cycle(edges: dict[str, set[str]], start: str) -> list[str] | None:
    """A way from a resource back to itself, the shortest."""
    paths = [[start]]
    reached = {start}
    for path in paths:
        for following in sorted(edges.get(path[-1], ())):
            if following == start:
                return path
            if following not in reached:
                reached.add(following)
                paths.append([*path, following])
    return None


RECURSION = Rule(
    "D05",
    "A loop",
    Severity.WARNING,
    "A function that writes to what triggers it can call itself without end, and the bill with it. AWS stops loops "
    "through SQS, SNS and S3 after about 16 turns; through tables and event buses it does not. Edges are taken from "
    "triggers and from what the function's role may write.",
    "Break the loop: another queue, bus or table; or a filter that what the function writes does not pass.",
    _recursion,
    "https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html",
)

DANGER = (LARGE_PAYLOADS, NO_DEAD_LETTER, VISIBILITY, NOT_REPEATABLE, RECURSION)
