"""STS: who the caller is, and temporary credentials for roles, users and those whom users vouch for.

Sessions are rows, so their credentials survive a crash, and a server with `--auth verify` knows them
(`find_credentials`). A role must exist to be assumed; its trust policy, session policies and session tags are
kept with the session and not enforced yet, as IAM's policies are not. Web identities and SAML assertions
would have to be verified against their providers, which Fogbank does not know: these operations say that they
are missing.
"""

from fogbank.services.sts.api import Sts

__all__ = ["Sts"]
