"""A cloud that records the calls made of it and answers them from a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fogbank.core.call import ANONYMOUS, Principal, Reply, Request
from fogbank.core.errors import ApiError
from fogbank.core.models import service_model
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.core.validation import check, describe

Answer = Reply | ApiError | Callable[[Request], Reply]


class RecordingCloud:
    """Implements `fogbank.core.call.Cloud`. Requests are held against the service models, as in a real cloud."""

    def __init__(self, **answers: Answer) -> None:
        self.answers: dict[str, Answer] = dict(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def call(
        self,
        scope: Scope,
        service: str,
        operation: str,
        request: Request,
        *,
        trace: Trace | None = None,
        principal: Principal = ANONYMOUS,
        request_id: str | None = None,
    ) -> Reply:
        problems = check(service_model(service).operation(operation), request)
        assert not problems, f"{operation}: {describe(problems)}"
        self.calls.append((operation, dict(request)))
        answer = self.answers.get(operation, {})
        if isinstance(answer, ApiError):
            raise answer
        return dict(answer) if isinstance(answer, Mapping) else answer(request)

    @property
    def operations(self) -> list[str]:
        """The names of the calls made, in order."""
        return [operation for operation, _ in self.calls]

    def request(self, operation: str) -> dict[str, Any]:
        """The request of the one call of an operation."""
        (found,) = [request for name, request in self.calls if name == operation]
        return found


def error(code: str, message: str = "") -> ApiError:
    """An error with a code."""
    kind = type(code, (ApiError,), {"code": code})
    made: ApiError = kind(message or code)
    return made
