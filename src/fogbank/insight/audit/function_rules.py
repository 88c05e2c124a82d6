"""Functions: too much or too little memory and concurrency, heavy imports, work that a container does cheaper."""

from __future__ import annotations

from collections.abc import Iterator

from fogbank.insight.audit.application import FUNCTION, QUEUE, Application, number
from fogbank.insight.audit.code import HEAVY
from fogbank.insight.audit.evidence import FunctionRun
from fogbank.insight.audit.model import Finding, Rule, Severity
from fogbank.insight.cost import MONTH_HOURS

ENOUGH = 10
"""Invocations that a run must have shown before its memory says anything."""
SLOW_INIT = 1000.0
"""Milliseconds."""


def _unit(app: Application, function: str) -> str:
    architectures = app.resources[function].properties.get("Architectures") or ["x86_64"]
    return f"lambda.gb-seconds.{'arm64' if 'arm64' in architectures else 'x86_64'}"


def _cost(app: Application, function: str, run: FunctionRun, memory: int) -> float:
    """Dollars a month for what the run shows, at some memory and the same duration."""
    return app.run.dollars(_unit(app, function), app.run.month(run.busy * memory / 1024))


def _much_memory(app: Application) -> Iterator[Finding]:
    for function in app.all(FUNCTION):
        run = app.run.functions.get(function.id)
        if run is None or run.invocations < ENOUGH or run.memory <= 128 or run.used > run.memory * 0.4:
            continue
        wanted = max(128, -(-int(run.used * 1.5) // 64) * 64)
        if wanted >= run.memory:
            continue
        yield MUCH_MEMORY.finding(
            function.id,
            f"it has {run.memory} MB and never used more than {run.used}; the processor's share comes with the memory, "
            "so try before you take it away",
            f"Resources:\n  {function.id}:\n    Properties:\n      MemorySize: {wanted}   # fogbank tune {function.id}",
            evidence=f"{run.used} MB at most in {run.invocations} invocations",
            dollars=_cost(app, function.id, run, run.memory) - _cost(app, function.id, run, wanted),
        )


MUCH_MEMORY = Rule(
    "W07",
    "More memory than is used",
    Severity.NOTE,
    "Duration is billed by memory. A function that uses a small part of what it has pays for the rest. The amount "
    "assumes the same duration; a function that computes gets slower with less, which `fogbank tune` measures.",
    "Lower MemorySize after `fogbank tune FUNCTION`.",
    _much_memory,
    "https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html",
)


def _idle_concurrency(app: Application) -> Iterator[Finding]:
    for resource in app.all("AWS::Lambda::Alias", "AWS::Lambda::Version"):
        config = resource.properties.get("ProvisionedConcurrencyConfig") or {}
        count = number(config.get("ProvisionedConcurrentExecutions"), 0)
        function = app.named(resource.properties.get("FunctionName"), FUNCTION)
        run = app.run.functions.get(function or "")
        if not count or function is None or run is None or not app.run.hours:
            continue
        busy = run.busy / (app.run.hours * 3600)
        needed = max(1, -(-int(busy * 10) // 7))
        if count <= needed:
            continue
        kind = _unit(app, function).rpartition(".")[2]
        seconds = (count - needed) * app.memory(function) / 1024 * MONTH_HOURS * 3600
        yield IDLE_CONCURRENCY.finding(
            resource.id,
            f"{count} environments are kept ready for {function}, and {needed} would do",
            f"Resources:\n  {resource.id}:\n    Properties:\n      ProvisionedConcurrencyConfig:\n"
            f"        ProvisionedConcurrentExecutions: {needed}",
            evidence=f"{busy:.2f} environments were busy on average",
            dollars=app.run.dollars(f"lambda.provisioned-gb-seconds.{kind}", seconds),
        )


IDLE_CONCURRENCY = Rule(
    "W08",
    "More provisioned concurrency than is used",
    Severity.WARNING,
    "Provisioned concurrency is paid for by the second whether it is used or not; below about 60% of use it costs more "
    "than it saves.",
    "Lower it, or scale it by a schedule or by utilisation (Application Auto Scaling).",
    _idle_concurrency,
    "https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html",
)


def _heavy_imports(app: Application) -> Iterator[Finding]:
    for function in app.all(FUNCTION):
        code = app.code.get(function.id)
        run = app.run.functions.get(function.id)
        heavy = sorted(code.imports() & HEAVY.keys()) if code is not None else []
        slow = run is not None and run.init > SLOW_INIT
        if not heavy and not slow:
            continue
        init = run.init if run is not None else 0.0
        what = "; ".join(f"{name}: {HEAVY[name]}" for name in heavy) or "its init phase is long"
        yield HEAVY_IMPORTS.finding(
            function.id,
            f"every cold start imports {', '.join(heavy)}" if heavy else f"its init phase takes {init:.0f} ms",
            f"Resources:\n  {function.id}:   # import within the code path that needs it, or\n    Properties:\n"
            "      SnapStart:\n        ApplyOn: PublishedVersions",
            evidence=what + (f"; init {init:.0f} ms at the median of {len(run.inits)}" if run and run.inits else ""),
            dollars=_init_dollars(app, function.id, run),
            severity=Severity.WARNING if slow else Severity.NOTE,
        )


def _init_dollars(app: Application, function: str, run: FunctionRun | None) -> float | None:
    """What the init phases of a month cost: they are billed."""
    if run is None or not run.inits:
        return None
    seconds = sum(run.inits) / 1000 * run.memory / 1024
    return app.run.dollars(_unit(app, function), app.run.month(seconds))


HEAVY_IMPORTS = Rule(
    "W10",
    "Heavy imports",
    Severity.NOTE,
    "What a module imports when it is loaded is paid by every cold start, in time and (since August 2025) in money. "
    "The run's init times say how much: a warning past one second.",
    "Import where it is needed, use something lighter, or keep the result with SnapStart.",
    _heavy_imports,
    "https://docs.aws.amazon.com/lambda/latest/dg/best-practices.html",
)

VCPU_MEMORY = 1769
"""MB with which a function has one whole virtual processor."""


def _container(app: Application) -> Iterator[Finding]:
    for function in app.all(FUNCTION):
        run = app.run.functions.get(function.id)
        if run is None or run.invocations < ENOUGH or not app.run.hours:
            continue
        monthly = _cost(app, function.id, run, run.memory) + app.run.dollars(
            "lambda.requests", app.run.month(run.invocations)
        )
        busy = app.run.month(run.busy) / (MONTH_HOURS * 3600)
        tasks = max(1, -(-int(busy * 10) // 6))
        vcpu = max(0.25, run.memory / VCPU_MEMORY) * tasks
        memory = max(0.5, run.memory / 1024) * tasks
        container = app.run.dollars("fargate.vcpu-hours", vcpu * MONTH_HOURS) + app.run.dollars(
            "fargate.gb-hours", memory * MONTH_HOURS
        )
        if monthly > 1.25 * container:
            yield CONTAINER.finding(
                function.id,
                f"it is busy enough that {tasks} container{'s' if tasks > 1 else ''} would cost less: "
                f"${container:,.2f} a month on Fargate against ${monthly:,.2f}",
                f"# run the code of {function.id} as an ECS service on Fargate that polls its queue or serves its API",
                evidence=f"{busy:.2f} environments busy on average over the month, at this rate",
                dollars=monthly - container,
            )


CONTAINER = Rule(
    "W11",
    "A container would be cheaper",
    Severity.NOTE,
    "Lambda is paid by use, at some three times the price of the same processor time on Fargate. Work that goes on day "
    "and night is cheaper in a container. The comparison is with Fargate on Linux/x86, at 60% use, without a load "
    "balancer.",
    "Move it to a container if its load is as steady as the run suggests.",
    _container,
    "https://aws.amazon.com/fargate/pricing/",
)


def _little_memory(app: Application) -> Iterator[Finding]:
    for function in app.all(FUNCTION):
        run = app.run.functions.get(function.id)
        if run is not None and run.invocations and run.used >= run.memory * 0.9:
            wanted = -(-int(run.memory * 1.5) // 64) * 64
            yield LITTLE_MEMORY.finding(
                function.id,
                f"it used {run.used} of its {run.memory} MB; past them it is killed (Runtime.OutOfMemory)",
                f"Resources:\n  {function.id}:\n    Properties:\n      MemorySize: {wanted}",
                evidence=f"{run.used} MB at most in {run.invocations} invocations",
            )


LITTLE_MEMORY = Rule(
    "D06",
    "Memory is nearly used up",
    Severity.WARNING,
    "An invocation that needs more memory than the function has is killed, and what it had begun stays half done.",
    "Raise MemorySize; more processor comes with it, so it may cost no more (`fogbank tune`).",
    _little_memory,
)


def _little_concurrency(app: Application) -> Iterator[Finding]:
    polled = {function for _, source, function in app.mappings(QUEUE) if source}
    for function in app.all(FUNCTION):
        given = function.properties.get("ReservedConcurrentExecutions")
        if given is None:
            continue
        reserved = number(given, -1)
        if reserved == 0:
            yield LITTLE_CONCURRENCY.finding(
                function.id,
                "its reserved concurrency is 0: every invocation is throttled",
                f"Resources:\n  {function.id}:\n    Properties:\n      ReservedConcurrentExecutions:   # remove",
                severity=Severity.ERROR,
            )
        elif 0 < reserved < 5 and function.id in polled:
            yield LITTLE_CONCURRENCY.finding(
                function.id,
                f"five pollers invoke it and {reserved} may run: throttled batches count as receives, and messages go "
                "to the dead-letter queue unseen",
                "Resources:\n  # the event source mapping:\n    Properties:\n      ScalingConfig:\n"
                f"        MaximumConcurrency: {max(2, reserved)}",
            )


LITTLE_CONCURRENCY = Rule(
    "D07",
    "Concurrency that cannot serve its trigger",
    Severity.WARNING,
    "Reserved concurrency of 0 switches a function off. Below 5, a queue's pollers are throttled, and each throttle "
    "counts towards maxReceiveCount.",
    "Limit the mapping (ScalingConfig.MaximumConcurrency) instead of the function.",
    _little_concurrency,
    "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html",
)

FUNCTIONS = (
    MUCH_MEMORY,
    IDLE_CONCURRENCY,
    HEAVY_IMPORTS,
    CONTAINER,
    LITTLE_MEMORY,
    LITTLE_CONCURRENCY,
)
