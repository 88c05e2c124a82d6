"""What goes over the Runtime API beside the bodies: errors in headers and trailers, answers that are streamed.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, and runtimes-custom.html on response streaming.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping

from fogbank.runtime import records
from fogbank.runtime.api import ApiRequest, Connection
from fogbank.runtime.streaming import MAX_STREAMED, ResponseStream

ERROR_TYPE = b"lambda-runtime-function-error-type"
_ERROR_BODY = b"lambda-runtime-function-error-body"


def error_type(headers: Mapping[bytes, bytes]) -> str:
    """What kind of error a request says that it reports; empty if it does not say."""
    return headers.get(ERROR_TYPE, b"").decode("latin-1")


def trailing_error(headers: Mapping[bytes, bytes]) -> tuple[str | None, bytes]:
    """The kind and the document of the error that a streamed answer ends with, if it does."""
    if ERROR_TYPE not in headers:
        return None, b""
    name = error_type(headers) or "Unhandled"
    try:
        document = base64.b64decode(headers.get(_ERROR_BODY, b""), validate=True)
    except binascii.Error:
        document = b""
    return name, document or records.error_document(name, "")


class StreamedAnswer:
    """Takes the body of a streamed answer. `done` is told the error that it ended with, if any, and its document."""

    def __init__(self, stream: ResponseStream, done: Callable[[str | None, bytes], None]) -> None:
        self._stream = stream
        self._done = done
        self._full = False

    def piece(self, data: bytes) -> None:
        """Pass it on, unless the limit is passed."""
        if not self._full and not self._stream.write(data):
            self._full = True

    def complete(self, connection: Connection, request: ApiRequest) -> None:
        """Answer the runtime, and end the invocation."""
        if self._full:
            message = f"Response payload size exceeded maximum allowed payload size ({MAX_STREAMED} bytes)."
            connection.refuse(413, "RequestEntityTooLarge", message)
            kind = "Function.ResponseSizeTooLarge"
            self._done(kind, records.error_document(kind, message))
            return
        connection.accept()
        self._done(*trailing_error(request.headers))
