"""The service: its operations are in `_api/`, by what they are about."""

from __future__ import annotations

from fogbank.services.iam._api.attachments import AttachmentOperations
from fogbank.services.iam._api.policies import PolicyOperations
from fogbank.services.iam._api.profiles import ProfileOperations
from fogbank.services.iam._api.users import UserOperations


class Iam(UserOperations, ProfileOperations, PolicyOperations, AttachmentOperations):
    """Identity and Access Management."""
