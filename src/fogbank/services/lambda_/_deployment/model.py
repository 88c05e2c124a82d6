"""Code signing configurations and runtime updates. Pure values.

Fogbank knows no signer, so no package is signed: a configuration that enforces signatures lets none be deployed, one
that warns lets all.
Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-codesigning.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fogbank.core.scope import Scope
from fogbank.services.lambda_.errors import (
    CodeSigningConfigNotFoundError,
    CodeVerificationFailedError,
    InvalidParameterValueError,
)
from fogbank.services.lambda_.model import Version, modified_text, runtime_version_arn

MANUAL = "Manual"
AUTO = "Auto"
_ARN = re.compile(r"arn:[^:]+:lambda:([^:]+):(\d{12}):code-signing-config:(csc-[a-z0-9]{17})")


@dataclass(frozen=True, slots=True)
class SigningConfig:
    """A code signing configuration. `config` has the members that its creator gives, in the API's shape."""

    scope: Scope
    id: str
    config: Mapping[str, Any]
    modified: int
    """Milliseconds since the epoch."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("lambda", f"code-signing-config:{self.id}")

    @property
    def policy(self) -> str:
        """What becomes of code that is not signed as it should be: `Warn` or `Enforce`."""
        policies: Mapping[str, str] = self.config.get("CodeSigningPolicies", {})
        return policies.get("UntrustedArtifactOnDeployment", "Warn")

    def render(self) -> dict[str, Any]:
        """CodeSigningConfig."""
        return {
            "CodeSigningConfigId": self.id,
            "CodeSigningConfigArn": self.arn,
            "Description": self.config.get("Description", ""),
            "AllowedPublishers": self.config["AllowedPublishers"],
            "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": self.policy},
            "LastModified": modified_text(self.modified),
        }

    def check(self) -> None:
        """Whether code may be deployed, which is never signed here."""
        if self.policy == "Enforce":
            raise CodeVerificationFailedError


@dataclass(frozen=True, slots=True)
class RuntimeUpdates:
    """When the runtime of a version is updated, and to what if that is said."""

    mode: str = AUTO
    arn: str = ""


def signing_place(arn: str) -> tuple[Scope, str]:
    """The scope and identifier of a configuration's ARN."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise CodeSigningConfigNotFoundError(arn)
    return Scope(match[2], match[1]), match[3]


def runtime_updates(given: Mapping[str, Any], version: Version) -> RuntimeUpdates:
    """What PutRuntimeManagementConfig asks for; there is one version of each runtime: this machine's interpreter."""
    mode, arn = given["UpdateRuntimeOn"], given.get("RuntimeVersionArn", "")
    if mode != MANUAL:
        if arn:
            raise InvalidParameterValueError("RuntimeVersionArn can only be specified when UpdateRuntimeOn is Manual.")
        return RuntimeUpdates(mode)
    if not arn:
        raise InvalidParameterValueError("RuntimeVersionArn must be specified when UpdateRuntimeOn is Manual.")
    if arn != runtime_version_arn(version):
        raise InvalidParameterValueError(f"Runtime version {arn} is not supported.")
    return RuntimeUpdates(mode, arn)
