"""IAM: roles, users, groups, instance profiles, and the policies that they have.

All of it is stored, checked (the policy grammar, quotas, what may be deleted) and answered, so that templates
and infrastructure tools work; nothing is enforced yet: whoever may call may do everything. Access keys are
real: a server with `--auth verify` accepts the keys of its users (`find_credentials`).

An account's IAM is in no region. AWS's own managed policies are accepted by any well-formed ARN and listed
where they are attached; the documents of few of them are known here. Passwords are checked against the account's
password policy, if it has one, and not kept: there is no console to sign in to. Identity providers are kept;
nothing is verified against them yet. What is left out says so by name: simulation, MFA, certificates, keys of
services, reports.
"""

from fogbank.services.iam.api import Iam

__all__ = ["Iam"]
