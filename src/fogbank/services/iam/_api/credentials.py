"""The credentials of users that cannot be made here yet: MFA devices, certificates, SSH keys, credentials for
single services. There are none, and that is what is told; infrastructure tools ask before they delete a user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fogbank.services.iam._api.service import IamService, entity_of, page
from fogbank.services.iam.model import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_iam import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class CredentialOperations(IamService):
    """The operations that list them."""

    async def list_mfa_devices(self, call: Call, request: t.ListMFADevicesRequestTypeDef) -> Reply:
        """A user's MFA devices: none."""
        return await self._none(call, "MFADevices", request)

    async def list_signing_certificates(self, call: Call, request: t.ListSigningCertificatesRequestTypeDef) -> Reply:
        """A user's signing certificates: none."""
        return await self._none(call, "Certificates", request)

    async def list_ssh_public_keys(self, call: Call, request: t.ListSSHPublicKeysRequestTypeDef) -> Reply:
        """A user's SSH keys: none."""
        return await self._none(call, "SSHPublicKeys", request)

    async def list_service_specific_credentials(
        self, call: Call, request: t.ListServiceSpecificCredentialsRequestTypeDef
    ) -> Reply:
        """A user's credentials for single services: none."""
        return await self._none(call, "ServiceSpecificCredentials", request)

    async def list_virtual_mfa_devices(self, call: Call, request: t.ListVirtualMFADevicesRequestTypeDef) -> Reply:
        """The account's virtual MFA devices: none."""
        return await self._none(call, "VirtualMFADevices", request)

    async def list_server_certificates(self, call: Call, request: t.ListServerCertificatesRequestTypeDef) -> Reply:
        """The account's server certificates: none."""
        return await self._none(call, "ServerCertificateMetadataList", request)

    async def _none(self, call: Call, member: str, request: Mapping[str, Any]) -> Reply:
        """An empty page, if the user that the request names is there."""
        name = request.get("UserName")
        nothing: list[Reply] = []
        _, end = page(request, nothing, str)

        async def body(tx: Tx) -> None:
            if name is not None:
                await entity_of(tx, call.scope.account, Kind.USER, name)

        await self.kit.storage.read(body)
        return {member: nothing, **end}
