"""Who makes a request, and whether it may say so.

With `--auth local` the access key is believed: if it is 12 digits it is the account, if it carries an account
in AWS's way it is that one, else the configured one. With `--auth verify` the signature, its age, the key and a
session token are checked, and what is wrong is answered with the code that the service's family uses for it.

    what is wrong            JSON                            query                        S3
    not signed               MissingAuthenticationToken…     MissingAuthenticationToken   AccessDenied
    a part missing           IncompleteSignatureException    IncompleteSignature          AuthorizationHeaderMalformed
    unknown key              UnrecognizedClientException     InvalidClientTokenId         InvalidAccessKeyId
    wrong signature          InvalidSignatureException       SignatureDoesNotMatch        SignatureDoesNotMatch
    too old, too new         InvalidSignatureException       SignatureDoesNotMatch        RequestTimeTooSkewed
    presigned, expired       InvalidSignatureException       SignatureDoesNotMatch        AccessDenied
    token wrong              UnrecognizedClientException     InvalidClientTokenId         InvalidToken
    token expired            ExpiredTokenException           ExpiredToken                 ExpiredToken
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from fogbank.core.call import ANONYMOUS, Principal
from fogbank.core.credentials import Credentials, CredentialSource, account_of_access_key
from fogbank.core.errors import ApiError
from fogbank.core.models import Protocol
from fogbank.core.scope import Scope
from fogbank.gateway.aws_chunked import signed_pieces_are_right
from fogbank.gateway.recognise import CredentialScope, valid_region, virtual_bucket
from fogbank.gateway.signature import IncompleteSignatureError, Signature, is_right, read_signature
from fogbank.gateway.signature_v2 import UrlSignature, read_url_signature
from fogbank.gateway.signature_v2 import is_right as url_is_right

if TYPE_CHECKING:
    from fogbank.core.clock import Clock
    from fogbank.core.config import Config
    from fogbank.core.http import HttpRequest
    from fogbank.core.models import ServiceModel

SKEW = 15 * 60
"""Seconds that a signature may be older or newer than the server's clock."""
_SCOPES_KEPT = 4096


class Fault(StrEnum):
    """What is wrong with a request's credentials."""

    MISSING = "missing"
    INCOMPLETE = "incomplete"
    UNKNOWN_KEY = "unknown key"
    WRONG = "wrong"
    SKEWED = "skewed"
    EXPIRED = "expired"
    WRONG_TOKEN = "wrong token"  # noqa: S105 - a name
    EXPIRED_TOKEN = "expired token"  # noqa: S105 - a name


_JSON = {
    Fault.MISSING: "MissingAuthenticationTokenException",
    Fault.INCOMPLETE: "IncompleteSignatureException",
    Fault.UNKNOWN_KEY: "UnrecognizedClientException",
    Fault.WRONG: "InvalidSignatureException",
    Fault.SKEWED: "InvalidSignatureException",
    Fault.EXPIRED: "InvalidSignatureException",
    Fault.WRONG_TOKEN: "UnrecognizedClientException",
    Fault.EXPIRED_TOKEN: "ExpiredTokenException",
}
_QUERY = {
    Fault.MISSING: "MissingAuthenticationToken",
    Fault.INCOMPLETE: "IncompleteSignature",
    Fault.UNKNOWN_KEY: "InvalidClientTokenId",
    Fault.WRONG: "SignatureDoesNotMatch",
    Fault.SKEWED: "SignatureDoesNotMatch",
    Fault.EXPIRED: "SignatureDoesNotMatch",
    Fault.WRONG_TOKEN: "InvalidClientTokenId",
    Fault.EXPIRED_TOKEN: "ExpiredToken",
}
_S3 = {
    Fault.MISSING: "AccessDenied",
    Fault.INCOMPLETE: "AuthorizationHeaderMalformed",
    Fault.UNKNOWN_KEY: "InvalidAccessKeyId",
    Fault.WRONG: "SignatureDoesNotMatch",
    Fault.SKEWED: "RequestTimeTooSkewed",
    Fault.EXPIRED: "AccessDenied",
    Fault.WRONG_TOKEN: "InvalidToken",
    Fault.EXPIRED_TOKEN: "ExpiredToken",
}
_BAD_REQUEST = frozenset({"AuthorizationHeaderMalformed", "ExpiredToken", "InvalidToken"})

_WRONG_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
_UNKNOWN_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a message
_EXPIRED_TOKEN = "The security token included in the request is expired"  # noqa: S105 - a message


class AuthenticationError(ApiError):
    """The request's credentials are refused. Code and status are those of the service's family."""

    def __init__(self, fault: Fault, message: str, model: ServiceModel) -> None:
        super().__init__(message)
        codes, status = _family(model)
        self.code = codes[fault]  # type: ignore[misc]
        self.status = 400 if self.code in _BAD_REQUEST else status  # type: ignore[misc]


def _family(model: ServiceModel) -> tuple[Mapping[Fault, str], int]:
    if model.name == "s3":
        return _S3, 403
    if model.protocol in {Protocol.QUERY, Protocol.EC2}:
        return _QUERY, 403
    return _JSON, 403 if model.protocol in {Protocol.REST_JSON, Protocol.REST_XML} else 400


class Authenticator:
    """Says whose a request is; in `verify` mode refuses what is not rightly signed."""

    def __init__(self, config: Config, clock: Clock, credentials: CredentialSource) -> None:
        self._config = config
        self._clock = clock
        self._credentials = credentials
        self._scopes: dict[CredentialScope | None, tuple[Scope, Principal]] = {}

    def believe(self, scope: CredentialScope | None) -> tuple[Scope, Principal]:
        """The account, region and principal that a request says it has."""
        found = self._scopes.get(scope)
        if found is None:
            if len(self._scopes) >= _SCOPES_KEPT:
                self._scopes.clear()
            found = self._scopes[scope] = self._believed(scope)
        return found

    def _believed(self, scope: CredentialScope | None) -> tuple[Scope, Principal]:
        config = self._config
        if scope is None:
            return Scope(config.account, config.region), ANONYMOUS
        key = scope.access_key
        account = key if len(key) == 12 and key.isascii() and key.isdigit() else account_of_access_key(key)
        region = scope.region if valid_region(scope.region) else config.region
        return Scope(account or config.account, region), Principal(access_key=key)

    async def verify(self, request: HttpRequest, model: ServiceModel, *, unsigned: bool) -> tuple[Scope, Principal]:
        """Check the signature of a request; `unsigned` operations need none. Raises `AuthenticationError`."""
        old = read_url_signature(request) if model.name == "s3" else None
        if old is not None:
            return await self._verify_url(request, old, model)
        try:
            signature = read_signature(request)
        except IncompleteSignatureError as error:
            raise AuthenticationError(Fault.INCOMPLETE, str(error), model) from None
        if signature is None:
            if unsigned:
                return self.believe(None)
            message = "Access Denied" if model.name == "s3" else "Missing Authentication Token"
            raise AuthenticationError(Fault.MISSING, message, model)
        if signature.service != model.signing_name:
            message = f"Credential should be scoped to correct service: '{model.signing_name}'. "
            raise AuthenticationError(Fault.WRONG, message, model)
        credentials = await self._credentials.find_credentials(signature.access_key)
        if credentials is None:
            raise AuthenticationError(Fault.UNKNOWN_KEY, _unknown_key(model), model)
        self._check_age(signature, model)
        right = is_right(request, signature, credentials.secret_key)
        if not right or not signed_pieces_are_right(request, signature, credentials.secret_key):
            raise AuthenticationError(Fault.WRONG, _WRONG_SIGNATURE, model)
        self._check_token(signature.token, credentials, model)
        region = signature.region if valid_region(signature.region) else self._config.region
        return Scope(credentials.account, region), Principal(access_key=signature.access_key)

    async def _verify_url(
        self, request: HttpRequest, signature: UrlSignature, model: ServiceModel
    ) -> tuple[Scope, Principal]:
        """Check the signature, of version 2, of a presigned URL."""
        self.check_url(request, model)
        credentials = await self._credentials.find_credentials(signature.access_key)
        if credentials is None:
            raise AuthenticationError(Fault.UNKNOWN_KEY, _unknown_key(model), model)
        bucket = virtual_bucket(request.headers.get("host", ""))
        if not url_is_right(request, signature, credentials.secret_key, bucket):
            raise AuthenticationError(Fault.WRONG, _WRONG_SIGNATURE, model)
        self._check_token(signature.token, credentials, model)
        return Scope(credentials.account, self._config.region), Principal(access_key=signature.access_key)

    def check_url(self, request: HttpRequest, model: ServiceModel) -> None:
        """Refuse a presigned URL that has expired, whatever the key: its end is all that such a URL promises."""
        now = self._clock.time()
        old = read_url_signature(request)
        if old is not None and now > old.expires:
            raise AuthenticationError(Fault.EXPIRED, "Request has expired", model)
        if old is not None or "X-Amz-Signature=" not in request.query:
            return
        try:
            signature = read_signature(request)
        except IncompleteSignatureError as error:
            raise AuthenticationError(Fault.INCOMPLETE, str(error), model) from None
        if signature is not None and signature.presigned:
            self._check_age(signature, model)

    def _check_age(self, signature: Signature, model: ServiceModel) -> None:
        """Refuse what was signed too long ago, or in the future."""
        try:
            moment = datetime.strptime(signature.moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            message = f"Date must be a moment, got '{signature.moment}'"
            raise AuthenticationError(Fault.INCOMPLETE, message, model) from None
        now = self._clock.time()
        if signature.expires is not None:
            if now > moment + signature.expires:
                raise AuthenticationError(Fault.EXPIRED, _expired(signature, now, model), model)
            if now < moment - SKEW:
                raise AuthenticationError(Fault.SKEWED, _not_yet(signature, now), model)
        elif now > moment + SKEW:
            raise AuthenticationError(Fault.SKEWED, _too_old(signature, now, model), model)
        elif now < moment - SKEW:
            raise AuthenticationError(Fault.SKEWED, _not_yet(signature, now), model)

    def _check_token(self, given: str | None, credentials: Credentials, model: ServiceModel) -> None:
        expected = credentials.session_token
        if expected is None:
            if given is not None:
                raise AuthenticationError(Fault.WRONG_TOKEN, _UNKNOWN_TOKEN, model)
        elif given is None or not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            raise AuthenticationError(Fault.WRONG_TOKEN, _UNKNOWN_TOKEN, model)
        if credentials.expires is not None and self._clock.time() >= credentials.expires:
            raise AuthenticationError(Fault.EXPIRED_TOKEN, _EXPIRED_TOKEN, model)


def _unknown_key(model: ServiceModel) -> str:
    if model.name == "s3":
        return "The AWS Access Key Id you provided does not exist in our records."
    return _UNKNOWN_TOKEN


def _basic(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def _too_old(signature: Signature, now: float, model: ServiceModel) -> str:
    if model.name == "s3":
        return "The difference between the request time and the current time is too large."
    earliest = _basic(now - SKEW)
    return f"Signature expired: {signature.moment} is now earlier than {earliest} ({_basic(now)} - {SKEW // 60} min.)"


def _not_yet(signature: Signature, now: float) -> str:
    latest = _basic(now + SKEW)
    return (
        f"Signature not yet current: {signature.moment} is still later than {latest} "
        f"({_basic(now)} + {SKEW // 60} min.)"
    )


def _expired(signature: Signature, now: float, model: ServiceModel) -> str:
    if model.name == "s3":
        return "Request has expired"
    return f"Signature expired: {signature.moment} is now earlier than {_basic(now - (signature.expires or 0))}"
