"""The service: its operations are in `_api/`, by what they are about."""

from __future__ import annotations

from fogbank.services.iam._api.account import AccountOperations
from fogbank.services.iam._api.attachments import AttachmentOperations
from fogbank.services.iam._api.credentials import CredentialOperations
from fogbank.services.iam._api.linked import LinkedRoleOperations
from fogbank.services.iam._api.logins import LoginOperations
from fogbank.services.iam._api.policies import PolicyOperations
from fogbank.services.iam._api.profiles import ProfileOperations
from fogbank.services.iam._api.providers import ProviderOperations


class Iam(
    LoginOperations,
    ProfileOperations,
    PolicyOperations,
    AttachmentOperations,
    ProviderOperations,
    LinkedRoleOperations,
    CredentialOperations,
    AccountOperations,
):
    """Identity and Access Management."""
