"""Every service that Fogbank has, by botocore's name of it. A new service is one line here."""

from __future__ import annotations

from fogbank.services.cloudformation import CloudFormation
from fogbank.services.cloudwatch import CloudWatch
from fogbank.services.dynamodb import DynamoDb, DynamoDbStreams
from fogbank.services.events import Events
from fogbank.services.iam import Iam
from fogbank.services.kit import Service
from fogbank.services.lambda_ import Lambda
from fogbank.services.logs import Logs
from fogbank.services.s3 import S3
from fogbank.services.scheduler import Scheduler
from fogbank.services.secretsmanager import SecretsManager
from fogbank.services.sns import Sns
from fogbank.services.sqs import Sqs
from fogbank.services.ssm import Ssm
from fogbank.services.states import States
from fogbank.services.sts import Sts
from fogbank.services.xray import XRay

_CLASSES: tuple[type[Service], ...] = (
    CloudWatch,
    Logs,
    Iam,
    Sts,
    Ssm,
    SecretsManager,
    Sqs,
    S3,
    Sns,
    DynamoDb,
    DynamoDbStreams,
    Events,
    Scheduler,
    XRay,
    Lambda,
    States,
    CloudFormation,
)
"""In the order of their start; they stop in reverse."""

SERVICES: dict[str, type[Service]] = {kind.name: kind for kind in _CLASSES}
