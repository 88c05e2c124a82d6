"""How functions are named: name, name:qualifier, account:function:name, and ARNs. Pure functions.

Source: the `FunctionName` parameters of the API reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from fogbank.core.call import Principal
from fogbank.core.scope import Scope
from fogbank.services.lambda_.errors import InvalidParameterValueError, ResourceNotFoundError

PRINCIPAL = Principal(service="lambda.amazonaws.com")
"""As whom Lambda calls other services on its own."""
LATEST = "$LATEST"
MAX_NAME = 64
_FORM = re.compile(
    r"(?:arn:(?P<partition>aws[a-zA-Z-]*):lambda:)?(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?(?:function:)?(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """Which function is meant, and which version or alias of it (`None`: unqualified, which acts on $LATEST)."""

    scope: Scope
    name: str
    qualifier: str | None = None

    @property
    def arn(self) -> str:
        """The function's ARN, without qualifier."""
        return self.scope.arn("lambda", f"function:{self.name}")

    @property
    def qualified_arn(self) -> str:
        """The ARN with the qualifier, if there is one."""
        return f"{self.arn}:{self.qualifier}" if self.qualifier else self.arn

    @property
    def unqualified(self) -> FunctionRef:
        """The function itself."""
        return FunctionRef(self.scope, self.name) if self.qualifier else self


@lru_cache(maxsize=20_000)
def parse_function(scope: Scope, text: str, qualifier: str | None = None) -> FunctionRef:
    """The function that `text` and the Qualifier parameter name, seen from the caller's scope."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidParameterValueError(
            f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {FUNCTION_PATTERN}"
        )
    region = match["region"] or scope.region
    if region != scope.region:
        raise ResourceNotFoundError(f"Functions from '{region}' are not reachable in this region ('{scope.region}')")
    inside = match["qualifier"]
    if inside and qualifier and inside != qualifier:
        raise InvalidParameterValueError(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return FunctionRef(Scope(match["account"] or scope.account, region), match["name"], qualifier or inside)


FUNCTION_PATTERN = (
    "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?"
    "(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
)


def parse_unqualified(scope: Scope, text: str) -> FunctionRef:
    """The function that `text` names, where a version or an alias of it is not meant."""
    ref = parse_function(scope, text)
    if ref.qualifier not in (None, LATEST):
        raise InvalidParameterValueError(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this "
            "operation. Please specify either a function name or an unqualified function ARN."
        )
    return ref.unqualified


def is_version(qualifier: str) -> bool:
    """Whether a qualifier names a version rather than an alias."""
    return qualifier == LATEST or qualifier.isdigit()


def version_number(version: str) -> int:
    """Versions are stored as numbers; $LATEST is 0."""
    return 0 if version == LATEST else int(version)


def version_text(number: int) -> str:
    """The reverse of `version_number`."""
    return LATEST if number == 0 else str(number)
