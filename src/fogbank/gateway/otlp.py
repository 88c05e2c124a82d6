"""POST /v1/traces: spans come in by OTLP over HTTP, in protobuf or JSON.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
"""

from __future__ import annotations

from fogbank.core.config import Config
from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.scope import Scope
from fogbank.gateway.answers import answer
from fogbank.storage import StorageError
from fogbank.telemetry import Telemetry
from fogbank.telemetry.otlp import DecodeError, decode_json, decode_protobuf
from fogbank.telemetry.otlp.wire import put_bytes, put_number, put_text

PATH = "/v1/traces"
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"


class OtlpReceiver:
    """Takes spans. They belong to the server's default account and region, where their resource does not say."""

    def __init__(self, telemetry: Telemetry, config: Config) -> None:
        self._telemetry = telemetry
        self._scope = Scope(config.account, config.region)

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request to `PATH`; the spans are written down when it is answered."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method != "POST":
            return _refuse(405, 12, "expected POST", kind)
        if kind not in {_PROTOBUF, _JSON}:
            return _refuse(415, 3, f"expected {_PROTOBUF} or {_JSON}, got {kind or 'no Content-Type'}", _JSON)
        try:
            decode = decode_json if kind == _JSON else decode_protobuf
            found = decode(request.body, self._scope)
            if found.spans:
                await self._telemetry.keep(found.spans)
        except (DecodeError, ApiError) as error:
            return _refuse(400, 3, str(error), kind)
        except StorageError as error:
            return _refuse(503, 14, f"the spans could not be stored: {error}", kind)
        return _taken(found.rejected, kind)


def _taken(rejected: int, kind: str) -> HttpResponse:
    """An ExportTraceServiceResponse."""
    why = f"{rejected} spans have malformed ids or times"
    if kind == _JSON:
        return answer(
            200, {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": why}} if rejected else {}
        )
    body = put_bytes(1, put_number(1, rejected) + put_text(2, why)) if rejected else b""
    return HttpResponse(200, (("content-type", _PROTOBUF),), body)


def _refuse(status: int, code: int, message: str, kind: str) -> HttpResponse:
    """A google.rpc.Status."""
    if kind == _PROTOBUF:
        return HttpResponse(status, (("content-type", _PROTOBUF),), put_number(1, code) + put_text(2, message))
    return answer(status, {"code": code, "message": message})
