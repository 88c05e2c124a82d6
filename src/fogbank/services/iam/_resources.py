"""The resources of policy statements, as far as IAM checks them when a policy is stored.

    resource := "*" | ARN; what is cut short goes on with wildcards: arn:aws:sqs is arn:aws:sqs:*:*:*

Source: recorded by the LocalStack project's validated suite.
"""

from __future__ import annotations

import re

from fogbank.services.iam.errors import MalformedPolicyError

_PARTITION = re.compile(r"aws(-[a-z-]+)?|\*")
_IAM_PATHS = (
    *("user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/"),
    *("policy/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/"),
)
_OPEN = re.compile(r"[*?]|\$\{")


def is_legacy_arn(resource: str) -> bool:
    """Whether IAM's older parser takes a resource: in AWS's partitions an ARN names a service, and is cut
    short after it or not at all.
    """
    parts = resource.split(":", 5)
    if parts[0] != "arn" or len(parts) < 3 or not _PARTITION.fullmatch(parts[1]):
        return True
    if not parts[2]:
        return False
    return len(parts) in (3, 6) or "*" in resource


def check_resource(resource: str) -> None:
    """A resource is `*` or the ARN of something that can be; `MalformedPolicyError` says what is wrong."""
    if resource == "*":
        return
    parts = resource.split(":", 5)
    if len(parts) < 2:
        raise MalformedPolicyError(f'Resource {resource} must be in ARN format or "*".')
    partition, vendor, region, account, name = (parts[1:] + ["*"] * 4)[:5]
    if parts[0] != "arn" or not _PARTITION.fullmatch(partition):
        arn = f"arn:{partition}:{vendor}:{region}:{account}:{name}"
        raise MalformedPolicyError(f'Partition "{partition}" is not valid for resource "{arn}".')
    if _OPEN.search(vendor):
        raise MalformedPolicyError("Resource vendor must be fully qualified and cannot contain regexes.")
    match vendor:
        case "iam":
            _check_iam(resource, region, name)
        case "s3" if region and not account:
            raise MalformedPolicyError(f"Resource {resource} can not contain region information.")
        case _:
            pass


def _check_iam(resource: str, region: str, name: str) -> None:
    if region not in ("", "*"):
        raise MalformedPolicyError(f"IAM resource {resource} cannot contain region information.")
    known = _OPEN.split(name, maxsplit=1)[0]
    is_open = known != name
    fits = any(name.startswith(path) or (is_open and path.startswith(known)) for path in _IAM_PATHS)
    if name != "root" and not fits:
        paths = ", ".join(_IAM_PATHS)
        raise MalformedPolicyError(f'IAM resource path must either be "*", root, or start with {paths}.')
