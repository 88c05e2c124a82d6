"""What each type of state may and must have, by query language. Sources: the language's specification and the
Developer Guide's pages of each state.
"""

from __future__ import annotations

from collections.abc import Mapping

from fogbank.services.states._language.definition import Kind

ANY = frozenset({"Type", "Comment", "QueryLanguage"})
PATHS = frozenset({"InputPath", "OutputPath"})
FLOW = frozenset({"Next", "End"})
TRY = frozenset({"Retry", "Catch"})

JSONPATH: Mapping[Kind, frozenset[str]] = {
    Kind.TASK: PATHS
    | FLOW
    | TRY
    | {
        "Assign",
        "Parameters",
        "ResultSelector",
        "ResultPath",
        "Resource",
        "TimeoutSeconds",
        "TimeoutSecondsPath",
        "HeartbeatSeconds",
        "HeartbeatSecondsPath",
        "Credentials",
    },
    Kind.PASS: PATHS | FLOW | {"Assign", "Parameters", "ResultPath", "Result"},
    Kind.CHOICE: PATHS | {"Assign", "Choices", "Default"},
    Kind.WAIT: PATHS | FLOW | {"Assign", "Seconds", "SecondsPath", "Timestamp", "TimestampPath"},
    Kind.SUCCEED: PATHS,
    Kind.FAIL: frozenset({"Error", "ErrorPath", "Cause", "CausePath"}),
    Kind.PARALLEL: PATHS | FLOW | TRY | {"Assign", "Parameters", "ResultSelector", "ResultPath", "Branches"},
    Kind.MAP: PATHS
    | FLOW
    | TRY
    | {
        "Assign",
        "Parameters",
        "ResultSelector",
        "ResultPath",
        "ItemsPath",
        "ItemSelector",
        "ItemProcessor",
        "Iterator",
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
        "MaxConcurrency",
        "MaxConcurrencyPath",
        "ToleratedFailureCount",
        "ToleratedFailureCountPath",
        "ToleratedFailurePercentage",
        "ToleratedFailurePercentagePath",
        "Label",
    },
}
JSONATA: Mapping[Kind, frozenset[str]] = {
    Kind.TASK: FLOW
    | TRY
    | {"Assign", "Output", "Arguments", "Resource", "TimeoutSeconds", "HeartbeatSeconds", "Credentials"},
    Kind.PASS: FLOW | {"Assign", "Output"},
    Kind.CHOICE: frozenset({"Assign", "Output", "Choices", "Default"}),
    Kind.WAIT: FLOW | {"Assign", "Output", "Seconds", "Timestamp"},
    Kind.SUCCEED: frozenset({"Output"}),
    Kind.FAIL: frozenset({"Error", "Cause"}),
    Kind.PARALLEL: FLOW | TRY | {"Assign", "Output", "Arguments", "Branches"},
    Kind.MAP: FLOW
    | TRY
    | {
        "Assign",
        "Output",
        "Items",
        "ItemSelector",
        "ItemProcessor",
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
        "MaxConcurrency",
        "ToleratedFailureCount",
        "ToleratedFailurePercentage",
        "Label",
    },
}
TRANSITIONS = frozenset({Kind.TASK, Kind.PASS, Kind.WAIT, Kind.PARALLEL, Kind.MAP})

OPTIMIZED: Mapping[str, frozenset[str]] = {
    "lambda": frozenset({"invoke", "invoke.waitForTaskToken"}),
    "sqs": frozenset({"sendMessage", "sendMessage.waitForTaskToken"}),
    "sns": frozenset({"publish", "publish.waitForTaskToken"}),
    "events": frozenset({"putEvents", "putEvents.waitForTaskToken"}),
    "dynamodb": frozenset({"getItem", "putItem", "deleteItem", "updateItem"}),
    "states": frozenset(
        {
            "startExecution",
            "startExecution.sync",
            "startExecution.sync:2",
            "startExecution.waitForTaskToken",
        }
    ),
    "apigateway": frozenset({"invoke", "invoke.waitForTaskToken"}),
    "http": frozenset({"invoke"}),
    "athena": frozenset(
        {
            "startQueryExecution",
            "startQueryExecution.sync",
            "stopQueryExecution",
            "getQueryExecution",
            "getQueryResults",
        }
    ),
    "batch": frozenset({"submitJob", "submitJob.sync"}),
    "bedrock": frozenset({"invokeModel", "createModelCustomizationJob", "createModelCustomizationJob.sync"}),
    "codebuild": frozenset({"startBuild", "startBuild.sync", "stopBuild", "batchDeleteBuilds", "batchGetReports"}),
    "ecs": frozenset({"runTask", "runTask.sync", "runTask.waitForTaskToken"}),
    "glue": frozenset({"startJobRun", "startJobRun.sync"}),
    "databrew": frozenset({"startJobRun", "startJobRun.sync"}),
    "elasticmapreduce": frozenset(
        {"createCluster", "createCluster.sync", "addStep", "addStep.sync", "cancelStep", "terminateCluster"}
    ),
    "eks": frozenset({"call", "runJob", "runJob.sync", "createCluster", "createCluster.sync", "deleteCluster"}),
    "sagemaker": frozenset({"createTrainingJob", "createTrainingJob.sync", "createTransformJob.sync"}),
    "mediaconvert": frozenset({"createJob", "createJob.sync"}),
}
