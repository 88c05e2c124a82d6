"""Identity providers of OpenID Connect and SAML. They are kept and answered; tokens and assertions are not
verified against them yet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.services.iam import storage
from fogbank.services.iam._api.service import IamService, lacking, seconds, tag_page, without_tags
from fogbank.services.iam._providers import (
    MAX_PROVIDERS,
    Provider,
    ProviderDetails,
    ProviderKind,
    check_clients,
    check_thumbprints,
    host_of,
    missing_provider,
    valid_until,
)
from fogbank.services.iam.errors import EntityAlreadyExistsError, NoSuchEntityError
from fogbank.services.iam.model import exact_tags_of, quota, tag_list

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_iam import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_OIDC, _SAML = ProviderKind.OIDC, ProviderKind.SAML


class ProviderOperations(IamService):
    """The operations on identity providers."""

    async def create_open_id_connect_provider(
        self, call: Call, request: t.CreateOpenIDConnectProviderRequestTypeDef
    ) -> Reply:
        """Trust an issuer of OpenID Connect. Thumbprints that are not given stay empty: the issuer is not asked."""
        url, clients, thumbprints = request["Url"], request.get("ClientIDList", []), request.get("ThumbprintList", [])
        host = host_of(url)
        check_thumbprints(thumbprints)
        check_clients(clients)
        details = ProviderDetails(url=host, clients=clients, thumbprints=thumbprints)
        taken = EntityAlreadyExistsError(f"Provider with url {url} already exists.")
        provider = await self._create_provider(
            call, _OIDC, host, details=details, tags=request.get("Tags", []), taken=taken
        )
        return {"OpenIDConnectProviderArn": provider.arn, "Tags": tag_list(provider.tags) or None}

    async def get_open_id_connect_provider(
        self, call: Call, request: t.GetOpenIDConnectProviderRequestTypeDef
    ) -> Reply:
        """What is known of an issuer."""
        provider = await self._read_provider(call, _OIDC, request["OpenIDConnectProviderArn"])
        return {
            "Url": provider.details.url,
            "ClientIDList": provider.details.clients,
            "ThumbprintList": provider.details.thumbprints,
            "CreateDate": seconds(provider.created_at),
            "Tags": tag_list(provider.tags),
        }

    async def list_open_id_connect_providers(self, call: Call, request: Mapping[str, Any]) -> Reply:  # noqa: ARG002
        """The ARNs of the account's issuers."""
        return {"OpenIDConnectProviderList": [{"Arn": each.arn} for each in await self._list_providers(call, _OIDC)]}

    async def delete_open_id_connect_provider(
        self, call: Call, request: t.DeleteOpenIDConnectProviderRequestTypeDef
    ) -> Reply:
        """Trust an issuer no longer."""
        arn = request["OpenIDConnectProviderArn"]
        missing = NoSuchEntityError(f"OpenId connect Provider {arn} cannot be found.")
        await self._delete_provider(call, _OIDC, arn, missing)
        return {}

    async def add_client_id_to_open_id_connect_provider(
        self, call: Call, request: t.AddClientIDToOpenIDConnectProviderRequestTypeDef
    ) -> Reply:
        """Add a client id; one that is there changes nothing."""

        def change(provider: Provider) -> Provider:
            clients = list(dict.fromkeys([*provider.details.clients, request["ClientID"]]))
            check_clients(clients)
            return replace(provider, details=replace(provider.details, clients=clients))

        await self._change_provider(call, _OIDC, request["OpenIDConnectProviderArn"], change)
        return {}

    async def remove_client_id_from_open_id_connect_provider(
        self, call: Call, request: t.RemoveClientIDFromOpenIDConnectProviderRequestTypeDef
    ) -> Reply:
        """Remove a client id; one that is not there changes nothing."""

        def change(provider: Provider) -> Provider:
            clients = [each for each in provider.details.clients if each != request["ClientID"]]
            return replace(provider, details=replace(provider.details, clients=clients))

        await self._change_provider(call, _OIDC, request["OpenIDConnectProviderArn"], change)
        return {}

    async def update_open_id_connect_provider_thumbprint(
        self, call: Call, request: t.UpdateOpenIDConnectProviderThumbprintRequestTypeDef
    ) -> Reply:
        """Replace the thumbprints of the issuer's certificates."""
        thumbprints = request["ThumbprintList"]
        check_thumbprints(thumbprints)

        def change(provider: Provider) -> Provider:
            return replace(provider, details=replace(provider.details, thumbprints=thumbprints))

        await self._change_provider(call, _OIDC, request["OpenIDConnectProviderArn"], change)
        return {}

    async def tag_open_id_connect_provider(
        self, call: Call, request: t.TagOpenIDConnectProviderRequestTypeDef
    ) -> Reply:
        """Add or replace an issuer's tags."""
        await self._tag_provider(call, _OIDC, request["OpenIDConnectProviderArn"], request)
        return {}

    async def untag_open_id_connect_provider(
        self, call: Call, request: t.UntagOpenIDConnectProviderRequestTypeDef
    ) -> Reply:
        """Remove tags of an issuer."""
        await self._untag_provider(call, _OIDC, request["OpenIDConnectProviderArn"], request)
        return {}

    async def list_open_id_connect_provider_tags(
        self, call: Call, request: t.ListOpenIDConnectProviderTagsRequestTypeDef
    ) -> Reply:
        """An issuer's tags."""
        provider = await self._read_provider(call, _OIDC, request["OpenIDConnectProviderArn"])
        return tag_page(request, provider.tags, exact=True)

    # -- SAML ---------------------------------------------------------------------------------------------

    async def create_saml_provider(self, call: Call, request: t.CreateSAMLProviderRequestTypeDef) -> Reply:
        """Trust an identity provider by its SAML metadata."""
        _refuse_keys(request)
        name, document = request["Name"], request["SAMLMetadataDocument"]
        details = ProviderDetails(
            document=document,
            uuid="SAMLSP" + self.kit.ids.code(20),
            valid_until=valid_until(document, self.kit.clock.millis()),
            encryption=request.get("AssertionEncryptionMode", "Allowed"),
        )
        taken = EntityAlreadyExistsError(f"SAMLProvider with name {name} already exists.")
        provider = await self._create_provider(
            call, _SAML, name, details=details, tags=request.get("Tags", []), taken=taken
        )
        return {"SAMLProviderArn": provider.arn, "Tags": tag_list(provider.tags) or None}

    async def get_saml_provider(self, call: Call, request: t.GetSAMLProviderRequestTypeDef) -> Reply:
        """The metadata of an identity provider."""
        provider = await self._read_provider(call, _SAML, request["SAMLProviderArn"])
        return {
            "SAMLProviderUUID": provider.details.uuid,
            "SAMLMetadataDocument": provider.details.document,
            "CreateDate": seconds(provider.created_at),
            "ValidUntil": seconds(provider.details.valid_until),
            "Tags": tag_list(provider.tags),
            "AssertionEncryptionMode": provider.details.encryption,
            "PrivateKeyList": [],
        }

    async def list_saml_providers(self, call: Call, request: Mapping[str, Any]) -> Reply:  # noqa: ARG002
        """The account's identity providers of SAML."""
        listed = [
            {
                "Arn": each.arn,
                "ValidUntil": seconds(each.details.valid_until),
                "CreateDate": seconds(each.created_at),
            }
            for each in await self._list_providers(call, _SAML)
        ]
        return {"SAMLProviderList": listed}

    async def update_saml_provider(self, call: Call, request: t.UpdateSAMLProviderRequestTypeDef) -> Reply:
        """Replace an identity provider's metadata, or how assertions are encrypted."""
        _refuse_keys(request)
        arn, document, now = request["SAMLProviderArn"], request.get("SAMLMetadataDocument"), self.kit.clock.millis()

        def change(provider: Provider) -> Provider:
            details = provider.details
            if document is not None:
                details = replace(details, document=document, valid_until=valid_until(document, now))
            mode = request.get("AssertionEncryptionMode", details.encryption)
            return replace(provider, details=replace(details, encryption=mode))

        await self._change_provider(call, _SAML, arn, change)
        return {"SAMLProviderArn": arn}

    async def delete_saml_provider(self, call: Call, request: t.DeleteSAMLProviderRequestTypeDef) -> Reply:
        """Trust an identity provider no longer."""
        arn = request["SAMLProviderArn"]
        await self._delete_provider(call, _SAML, arn, missing_provider(_SAML, arn))
        return {}

    async def tag_saml_provider(self, call: Call, request: t.TagSAMLProviderRequestTypeDef) -> Reply:
        """Add or replace an identity provider's tags."""
        await self._tag_provider(call, _SAML, request["SAMLProviderArn"], request)
        return {}

    async def untag_saml_provider(self, call: Call, request: t.UntagSAMLProviderRequestTypeDef) -> Reply:
        """Remove tags of an identity provider."""
        await self._untag_provider(call, _SAML, request["SAMLProviderArn"], request)
        return {}

    async def list_saml_provider_tags(self, call: Call, request: t.ListSAMLProviderTagsRequestTypeDef) -> Reply:
        """An identity provider's tags."""
        provider = await self._read_provider(call, _SAML, request["SAMLProviderArn"])
        return tag_page(request, provider.tags, exact=True)

    # -- what both have -----------------------------------------------------------------------------------

    async def _create_provider(
        self,
        call: Call,
        kind: ProviderKind,
        name: str,
        *,
        details: ProviderDetails,
        tags: Any,
        taken: EntityAlreadyExistsError,
    ) -> Provider:
        account, now = call.scope.account, self.kit.clock.millis()
        arn = call.scope.global_arn("iam", f"{kind}/{name}")
        provider = Provider(arn, account, kind, now, details, exact_tags_of(tags))

        async def body(tx: Tx) -> None:
            if len(await storage.list_providers(tx, account, kind)) >= MAX_PROVIDERS:
                raise quota("ProvidersPerAccount", MAX_PROVIDERS)
            if not await storage.insert_provider(tx, provider):
                raise taken

        await self.kit.storage.transact(body)
        return provider

    async def _read_provider(self, call: Call, kind: ProviderKind, arn: str) -> Provider:
        async def body(tx: Tx) -> Provider:
            return await _provider_of(tx, call, kind, arn)

        return await self.kit.storage.read(body)

    async def _list_providers(self, call: Call, kind: ProviderKind) -> list[Provider]:
        async def body(tx: Tx) -> list[Provider]:
            return await storage.list_providers(tx, call.scope.account, kind)

        return await self.kit.storage.read(body)

    async def _change_provider(
        self, call: Call, kind: ProviderKind, arn: str, change: Callable[[Provider], Provider]
    ) -> None:
        async def body(tx: Tx) -> None:
            await storage.update_provider(tx, change(await _provider_of(tx, call, kind, arn)))

        await self.kit.storage.transact(body)

    async def _delete_provider(self, call: Call, kind: ProviderKind, arn: str, missing: NoSuchEntityError) -> None:
        async def body(tx: Tx) -> None:
            if not await storage.delete_provider(tx, call.scope.account, kind, arn):
                raise missing

        await self.kit.storage.transact(body)

    async def _tag_provider(self, call: Call, kind: ProviderKind, arn: str, request: Mapping[str, Any]) -> None:
        def change(provider: Provider) -> Provider:
            return replace(provider, tags=exact_tags_of(request["Tags"], provider.tags))

        await self._change_provider(call, kind, arn, change)

    async def _untag_provider(self, call: Call, kind: ProviderKind, arn: str, request: Mapping[str, Any]) -> None:
        def change(provider: Provider) -> Provider:
            return replace(provider, tags=without_tags(request, provider.tags))

        await self._change_provider(call, kind, arn, change)


async def _provider_of(tx: Tx, call: Call, kind: ProviderKind, arn: str) -> Provider:
    provider = await storage.find_provider(tx, call.scope.account, kind, arn)
    if provider is None:
        raise missing_provider(kind, arn)
    return provider


def _refuse_keys(request: Mapping[str, Any]) -> None:
    for name in ("AddPrivateKey", "RemovePrivateKey"):
        if name in request:
            raise lacking(f"{name}: keys that decrypt SAML assertions")
