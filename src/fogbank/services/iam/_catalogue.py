"""The documents of AWS's own managed policies, as far as they are known here: a few.

Sources: the first two were recorded by the LocalStack project's validated suite, the last is documented
(https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AdministratorAccess.html).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def _allow(*actions: str) -> str:
    listed = ",".join(f'"{action}"' for action in actions)
    listed = listed if len(actions) == 1 else f"[{listed}]"
    return f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{listed},"Resource":"*"}}]}}'


_KNOWN: Mapping[str, Sequence[str]] = {
    "service-role/AWSLambdaBasicExecutionRole": (
        _allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
    ),
    "AmazonS3FullAccess": (_allow("s3:*"), _allow("s3:*", "s3-object-lambda:*")),
    "AdministratorAccess": (_allow("*"),),
}


def known_documents(path: str, name: str) -> Sequence[str]:
    """The documents of a policy's versions from v1 on, the last of them the default; none if it is not known."""
    return _KNOWN.get(f"{path}{name}".removeprefix("/"), ())
