"""Service-linked roles: the names and policies that AWS gives them.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html and the
services' own pages; the texts are those that users report. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.iam.errors import InvalidInputError, UnmodifiableEntityError
from fogbank.services.iam.model import Entity

_PREFIX = "AWSServiceRoleFor"
_PATH = "/aws-service-role/"


@dataclass(frozen=True, slots=True)
class LinkedService:
    """How a service's role is called, after `AWSServiceRoleFor`, and which policy it has."""

    name: str
    policy: str
    has_suffix: bool = False


_SERVICES = {
    "autoscaling.amazonaws.com": LinkedService("AutoScaling", "AutoScalingServiceRolePolicy", has_suffix=True),
    "dynamodb.application-autoscaling.amazonaws.com": LinkedService(
        "ApplicationAutoScaling_DynamoDBTable", "AWSApplicationAutoscalingDynamoDBTablePolicy"
    ),
    "ecs.amazonaws.com": LinkedService("ECS", "AmazonECSServiceRolePolicy"),
    "ecs.application-autoscaling.amazonaws.com": LinkedService(
        "ApplicationAutoScaling_ECSService", "AWSApplicationAutoscalingECSServicePolicy"
    ),
    "eks.amazonaws.com": LinkedService("AmazonEKS", "AmazonEKSServiceRolePolicy"),
    "elasticache.amazonaws.com": LinkedService("ElastiCache", "ElastiCacheServiceRolePolicy"),
    "elasticloadbalancing.amazonaws.com": LinkedService(
        "ElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy"
    ),
    "es.amazonaws.com": LinkedService("AmazonElasticsearchService", "AmazonElasticsearchServiceRolePolicy"),
    "lambda.application-autoscaling.amazonaws.com": LinkedService(
        "ApplicationAutoScaling_LambdaConcurrency", "AWSApplicationAutoscalingLambdaConcurrencyPolicy"
    ),
    "opensearchservice.amazonaws.com": LinkedService("AmazonOpenSearchService", "AmazonOpenSearchServiceRolePolicy"),
    "ops.apigateway.amazonaws.com": LinkedService("APIGateway", "APIGatewayServiceRolePolicy"),
    "rds.amazonaws.com": LinkedService("RDS", "AmazonRDSServiceRolePolicy"),
    "spot.amazonaws.com": LinkedService("EC2Spot", "AWSEC2SpotServiceRolePolicy"),
}


@dataclass(frozen=True, slots=True)
class LinkedRole:
    """A service-linked role to be made."""

    name: str
    path: str
    trust_policy: str
    policy_arn: str


def linked_role(service: str, suffix: str | None) -> LinkedRole:
    """The role of a service; `InvalidInputError` where it can have no suffix."""
    known = _SERVICES.get(service)
    if known is None:
        raise NotImplementedByFogbank(
            f"Fogbank does not know the service-linked role of {service} yet, only those of {', '.join(_SERVICES)}"
        )
    if suffix is not None and not known.has_suffix:
        raise InvalidInputError(f"Custom suffix is not allowed for {service}")
    return LinkedRole(
        name=_PREFIX + known.name + (f"_{suffix}" if suffix else ""),
        path=f"{_PATH}{service}/",
        trust_policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"'
        + service
        + '"},"Action":"sts:AssumeRole"}]}',
        policy_arn=f"arn:aws:iam::aws:policy{_PATH}{known.policy}",
    )


def name_taken(name: str) -> InvalidInputError:
    """The error for a service that has its role already."""
    return InvalidInputError(f"Service role name {name} has been taken in this account, please try a different suffix.")


def is_linked(role: Entity) -> bool:
    """Whether a role is service-linked: its path says so."""
    return role.path.startswith(_PATH)


def check_modifiable(entity: Entity) -> None:
    """A service-linked role is changed by its service alone; anything else may be changed."""
    if is_linked(entity):
        raise UnmodifiableEntityError(
            f"Cannot perform the operation on the protected role '{entity.name}' - this role is only modifiable by AWS"
        )
