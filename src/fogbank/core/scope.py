"""Scope: whose resources a call is about, and where."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Scope:
    """An account (12 digits) and a region."""

    account: str = DEFAULT_ACCOUNT
    region: str = DEFAULT_REGION

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`, by the region's name."""
        return partition_of(self.region)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of `resource` (with its type prefix, where it has one) of `service` in this scope."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def global_arn(self, service: str, resource: str) -> str:
        """The same for a service without regions (IAM): the region is left empty."""
        return f"arn:{self.partition}:{service}::{self.account}:{resource}"


def partition_of(region: str) -> str:
    """The partition that a region belongs to."""
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"
