"""The gateway: from an HTTP request to a call of the cloud, and back."""

from __future__ import annotations

import gzip
import io
import logging
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.core.config import Auth, is_loopback
from fogbank.core.downloads import Downloads
from fogbank.core.errors import ApiError, InternalFailureError, NotImplementedByFogbank
from fogbank.core.faults import point
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.sites import Sites
from fogbank.core.trace import Trace
from fogbank.gateway import aws_chunked, browser, cors
from fogbank.gateway.admin import WELCOME, Admin, AdminPages
from fogbank.gateway.answers import problem
from fogbank.gateway.authentication import Authenticator
from fogbank.gateway.hosts import MARK, Hosts
from fogbank.gateway.otlp import PATH as OTLP_PATH
from fogbank.gateway.otlp import OtlpReceiver
from fogbank.gateway.protocols.faults import SerializationError
from fogbank.gateway.recognise import Recogniser, UnrecognisedError, virtual_bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fogbank.core.call import Cloud, Principal
    from fogbank.core.clock import Clock
    from fogbank.core.config import Config
    from fogbank.core.credentials import CredentialSource
    from fogbank.core.ids import Ids
    from fogbank.core.scope import Scope
    from fogbank.gateway.recognise import CredentialScope, Recognised
    from fogbank.gateway.traces import TracePages


class EntityTooLargeError(ApiError):
    """A body of more bytes than the server takes in one request, as S3 says it."""

    code = "EntityTooLarge"


class FormUploadError(NotImplementedByFogbank):
    """An upload to S3 by a page's form, which signs a policy instead of the request."""


_log = logging.getLogger("fogbank.gateway")


class Gateway:
    """Answers every request that reaches the server; `handle` is an `HttpHandler`.

    `credentials` is asked for secrets with `--auth verify`, `admin` does what the server's own paths are for.
    """

    def __init__(
        self,
        cloud: Cloud,
        config: Config,
        clock: Clock,
        ids: Ids,
        *,
        credentials: CredentialSource,
        admin: Admin,
        traces: TracePages | None = None,
        otlp: OtlpReceiver | None = None,
    ) -> None:
        self._otlp = otlp
        self._cloud = cloud
        self._config = config
        self._ids = ids
        self._verify = config.auth is Auth.VERIFY
        self._recogniser = Recogniser()
        self._authenticator = Authenticator(config, clock, credentials)
        self._admin = AdminPages(admin, config, cloud if isinstance(cloud, Downloads) else None, traces)
        self._hosts = (
            Hosts(cloud, self._recogniser, self._authenticator, ids, verify=self._verify)
            if isinstance(cloud, Sites)
            else None
        )

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request. Whatever it holds, the answer is well-formed; only cancellation escapes."""
        headers = request.headers
        if self._hosts is not None and MARK in headers.get("host", ""):
            return await self._hosts.handle(request)
        origin = headers.get("origin")
        if origin is not None:
            return await self._handle_page(request, origin)
        if request.path.startswith("/_"):
            return await self._admin.handle(request)
        if request.path == OTLP_PATH and self._otlp is not None:
            return await self._take_spans(request, self._otlp)
        return await self._handle_api(request)

    def too_large(self, headers: Mapping[str, str], most: int) -> HttpResponse | None:
        """The refusal of a body past the server's limit: S3's clients are told in S3's form, and what to do."""
        request = HttpRequest("PUT", "/", headers=headers)
        scope = self._recogniser.scope(request)
        if scope is None or scope.service != "s3":
            return None
        error = EntityTooLargeError(
            f"Your proposed upload exceeds the maximum allowed size: one request may have {most} bytes here, "
            "and larger objects are uploaded in parts",
            MaxSizeAllowed=most,
        )
        return self._recogniser.s3().encode_error(error, request, self._ids.uuid())

    async def _take_spans(self, request: HttpRequest, otlp: OtlpReceiver) -> HttpResponse:
        """OpenTelemetry's clients sign nothing: with `--auth verify` only those on this machine are listened to."""
        if self._verify and not is_loopback(request.client):
            return HttpResponse(403)
        try:
            return await otlp.handle(prepare(request, None, self._config.max_body))
        except SerializationError as error:
            return problem(400, error.message)

    async def _handle_page(self, request: HttpRequest, origin: str) -> HttpResponse:
        """A request that a page in a browser makes."""
        if not browser.may_call(origin, self._config):
            return browser.refuse(origin)
        if request.path.startswith("/_") and request.method != "OPTIONS":
            return browser.allow(await self._admin.handle(request), origin)
        rules = await self._bucket_rules(request)
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            return browser.preflight(request) if rules is None else self._preflight(request, rules)
        answer = await self._handle_api(request)
        return browser.allow(answer, origin) if rules is None else cors.allow(rules, answer, request)

    async def _bucket_rules(self, request: HttpRequest) -> cors.Rules | None:
        """The CORS rules of the bucket that a request is for, or that a browser asks about, which signs nothing."""
        scope = self._recogniser.scope(request)
        if request.method != "OPTIONS" and (scope is None or scope.service != "s3"):
            return None
        return await cors.rules_for(self._cloud, self._authenticator.believe(scope)[0], request)

    def _preflight(self, request: HttpRequest, rules: cors.Rules) -> HttpResponse:
        try:
            return cors.preflight(rules, request)
        except cors.CorsForbiddenError as error:
            return self._recogniser.s3().encode_error(error, request, self._ids.uuid())

    async def _handle_api(self, request: HttpRequest) -> HttpResponse:
        scope = self._recogniser.scope(request)
        if scope is None and not request.query and request.path == "/" and request.method in {"GET", "HEAD"}:
            return HttpResponse(200, (("content-type", "text/plain; charset=utf-8"),), WELCOME.encode())
        request_id = self._ids.uuid()
        try:
            plain = prepare(request, scope, self._config.max_body)
            found = self._recogniser.recognise(plain, scope)
        except UnrecognisedError as error:
            return error.codec.encode_error(error.error, request, request_id)
        except ApiError as error:
            for_s3 = isinstance(error, FormUploadError) or (scope is not None and scope.service == "s3")
            unread = self._recogniser.s3() if for_s3 else self._recogniser.neutral(request)
            return unread.encode_error(error, request, request_id)
        codec = found.codec
        try:
            where, principal = await self._who(request, found, scope)
            answer = await self._call(plain, found, where, principal, request_id)
        except ApiError as error:
            answer = codec.protocol.encode_error(error, request, request_id)
        except Exception:  # noqa: BLE001 - the request's supervisor
            operation = codec.operation
            _log.exception("%s.%s failed (request %s)", operation.service, operation.name, request_id)
            failure = InternalFailureError("The request failed in Fogbank; the server's log has the details")
            answer = codec.protocol.encode_error(failure, request, request_id)
        point("gateway.before-answer")
        return answer

    async def _who(
        self, request: HttpRequest, found: Recognised, scope: CredentialScope | None
    ) -> tuple[Scope, Principal]:
        """Whose request it is. The signature is of the request as it came, not as it was prepared."""
        operation = found.codec.operation
        model = found.codec.protocol.model
        if not self._verify:
            if request.query and operation.service == "s3":
                self._authenticator.check_url(request, model)
            return self._authenticator.believe(scope)
        return await self._authenticator.verify(request, model, unsigned=operation.unsigned)

    async def _call(
        self, request: HttpRequest, found: Recognised, where: Scope, principal: Principal, request_id: str
    ) -> HttpResponse:
        codec = found.codec
        operation = codec.operation
        params = codec.decode(request, found.labels)
        reply = await self._cloud.call(
            where,
            operation.service,
            operation.name,
            params,
            trace=_context(request.headers),
            principal=principal,
            request_id=request_id,
        )
        return codec.encode(reply, request_id)


def _context(headers: Mapping[str, str]) -> Trace | None:
    """The trace that a request belongs to: X-Ray's header, else W3C's."""
    header = headers.get("x-amzn-trace-id")
    if header is not None:
        return Trace.parse(header)
    parent = headers.get("traceparent")
    return None if parent is None else Trace.parse_w3c(parent)


def prepare(request: HttpRequest, scope: CredentialScope | None, max_body: int) -> HttpRequest:
    """The request as the protocols expect it: unpacked, put together, its bucket in its path.

    Raises `ApiError` if the body is not what its headers say.
    """
    headers = request.headers
    if scope is None and request.method == "POST" and headers.get("content-type", "").startswith("multipart/form-data"):
        raise FormUploadError("Fogbank does not implement uploads to S3 by forms (POST) yet; presigned PUT URLs work")
    bucket = None
    if scope is None or scope.service == "s3":
        bucket = virtual_bucket(headers.get("host", ""), signed=scope is not None)
        if bucket is not None:
            request = replace(request, path=f"/{bucket}{request.path}")
    if bucket is not None or (scope is not None and scope.service == "s3"):
        if aws_chunked.is_aws_chunked(request):
            request = aws_chunked.unchunk(request)
    elif headers.get("content-encoding") == "gzip":
        request = replace(request, body=_unzipped(request.body, max_body))
    if "content-md5" in headers:
        aws_chunked.check_md5(request)
    return request


def _unzipped(body: bytes, most: int) -> bytes:
    """A gzip body unpacked; `SerializationError` if it is none, or is more than `most` bytes."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            data = file.read(most + 1)
    except (OSError, EOFError, zlib.error):
        raise SerializationError("The body is not gzip, as its Content-Encoding says") from None
    if len(data) > most:
        raise SerializationError(f"The body may have {most} bytes when it is unpacked")
    return data
