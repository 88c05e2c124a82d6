"""What a template does that its user must have acknowledged.

Source: the Capabilities parameter of CreateStack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_IAM = {
    "AWS::IAM::AccessKey": None,
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": None,
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserToGroupAddition": None,
}
"""The types that need CAPABILITY_IAM, and the property that makes it CAPABILITY_NAMED_IAM."""


def needed_capabilities(raw: Mapping[str, Any], transforms: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """The capabilities that a template needs, and why."""
    types: set[str] = set()
    named = False
    for resource in raw["Resources"].values():
        if not isinstance(resource, dict) or resource.get("Type") not in _IAM:
            continue
        types.add(resource["Type"])
        named = named or _IAM[resource["Type"]] in (resource.get("Properties") or {})
    needed: list[str] = []
    reasons: list[str] = []
    if types:
        needed.append("CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM")
        reasons.append(f"The following resource(s) require capabilities: [{', '.join(sorted(types))}]")
    if transforms:
        needed.append("CAPABILITY_AUTO_EXPAND")
        if not types:
            reasons.append(f"The following transform(s) require capabilities: [{', '.join(transforms)}]")
    return tuple(needed), reasons[0] if reasons else None
