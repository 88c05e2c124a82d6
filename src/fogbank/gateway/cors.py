"""Which pages may use a bucket that says so: its CORS rules, on top of the server's own (`browser.py`).

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Principal
from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.scope import Scope
from fogbank.gateway.recognise import virtual_bucket

if TYPE_CHECKING:
    from fogbank.core.call import Cloud

_S3 = Principal(service="s3.amazonaws.com")
Rules = Sequence[Mapping[str, Any]]


class CorsForbiddenError(ApiError):
    """No rule of the bucket allows the request that a page wants to make."""

    code = "AccessForbidden"
    status = 403

    def __init__(self, method: str) -> None:
        super().__init__(
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request "
            "method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the "
            "resource's CORS spec.",
            Method=method,
            ResourceType="OBJECT",
        )


async def rules_for(cloud: Cloud, scope: Scope, request: HttpRequest) -> Rules | None:
    """The rules of the bucket that a request is for; `None` if it is for none, or for one that has none."""
    bucket = virtual_bucket(request.headers.get("host", "")) or request.path.split("/", 2)[1]
    if len(bucket) < 3:
        return None
    try:
        reply = await cloud.call(scope, "s3", "GetBucketCors", {"Bucket": bucket}, principal=_S3)
    except ApiError:
        return None
    rules: Rules = reply["CORSRules"]
    return rules


def preflight(rules: Rules, request: HttpRequest) -> HttpResponse:
    """The answer to a browser that asks whether it may make a request; `CorsForbiddenError` if it may not."""
    headers = request.headers
    method = headers.get("access-control-request-method", "")
    wanted = [name.strip().lower() for name in headers.get("access-control-request-headers", "").split(",")]
    wanted = [name for name in wanted if name]
    rule = _matching(rules, headers.get("origin", ""), method, wanted)
    if rule is None:
        raise CorsForbiddenError(method)
    found = _granted(rule, headers["origin"])
    if wanted:
        found.append(("access-control-allow-headers", ", ".join(wanted)))
    if rule.get("MaxAgeSeconds") is not None:
        found.append(("access-control-max-age", str(rule["MaxAgeSeconds"])))
    return HttpResponse(200, found)


def allow(rules: Rules, response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """The same answer, readable by the page if a rule says so."""
    rule = _matching(rules, request.headers.get("origin", ""), request.method, ())
    if rule is not None:
        response.headers = (*response.headers, *_granted(rule, request.headers["origin"]))
    return response


def _matching(rules: Rules, origin: str, method: str, headers: Sequence[str]) -> Mapping[str, Any] | None:
    """The first rule that allows it."""
    for rule in rules:
        allowed = [name.lower() for name in rule.get("AllowedHeaders") or ()]
        if (
            method in rule["AllowedMethods"]
            and any(_fits(origin, pattern) for pattern in rule["AllowedOrigins"])
            and all(any(_fits(name, pattern) for pattern in allowed) for name in headers)
        ):
            return rule
    return None


def _fits(text: str, pattern: str) -> bool:
    """Whether a text is what a pattern with at most one `*` says."""
    return fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))


def _granted(rule: Mapping[str, Any], origin: str) -> list[tuple[str, str]]:
    everybody = "*" in rule["AllowedOrigins"]
    found = [
        ("access-control-allow-origin", "*" if everybody else origin),
        ("access-control-allow-methods", ", ".join(rule["AllowedMethods"])),
        ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
    ]
    if not everybody:
        found.append(("access-control-allow-credentials", "true"))
    if rule.get("ExposeHeaders"):
        found.append(("access-control-expose-headers", ", ".join(rule["ExposeHeaders"])))
    return found
