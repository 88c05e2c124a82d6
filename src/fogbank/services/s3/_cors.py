"""Which pages of other origins may use a bucket.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fogbank.services.s3.errors import InvalidRequestError, MalformedXmlError

MAX_RULES = 100
_METHODS = frozenset({"GET", "PUT", "HEAD", "POST", "DELETE"})


def check_rules(rules: Sequence[Mapping[str, Any]]) -> None:
    """Refuse rules that S3 refuses."""
    if not 1 <= len(rules) <= MAX_RULES:
        raise MalformedXmlError
    for rule in rules:
        if not rule.get("AllowedMethods") or not rule.get("AllowedOrigins"):
            raise MalformedXmlError
        for method in rule["AllowedMethods"]:
            if method not in _METHODS:
                raise InvalidRequestError(
                    f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                )
        for name, values in (
            ("AllowedOrigin", rule["AllowedOrigins"]),
            ("AllowedHeader", rule.get("AllowedHeaders", ())),
        ):
            for value in values:
                if value.count("*") > 1:
                    raise InvalidRequestError(f'{name} "{value}" can not have more than one wildcard.')
        for value in rule.get("ExposeHeaders", ()):
            if "*" in value:
                raise InvalidRequestError(
                    f'ExposeHeader "{value}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
                )
