"""What the Lambda tests share: packages out of source text, and functions made of them."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_lambda_powertools
import jmespath  # type: ignore[import-untyped]
import typing_extensions

ROLE = "arn:aws:iam::000000000000:role/lambda-role"
RUNTIME = f"python3.{sys.version_info.minor}"
ECHO = "def handler(event, context):\n    return event\n"


def package(**files: str) -> bytes:
    """A deployment package: `package(app="...")` holds app.py."""
    return bundle({f"{name}.py": text for name, text in files.items()})


def bundle(files: Mapping[str, str]) -> bytes:
    """A deployment package of any files by their paths, all of them executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


def with_powertools(source: str) -> bytes:
    """A package of one file, app.py, with Powertools as it was installed, and what it needs."""
    files = {"app.py": source, "typing_extensions.py": Path(typing_extensions.__file__).read_text()}
    for module in (aws_lambda_powertools, jmespath):
        folder = Path(str(module.__file__)).parent
        files |= {str(path.relative_to(folder.parent)): path.read_text() for path in folder.rglob("*.py")}
    return bundle(files)


def create(client: Any, source: str = ECHO, name: str = "f", **more: Any) -> Any:
    """Create a Python function of one file."""
    more.setdefault("Code", {"ZipFile": package(app=source)})
    return client.create_function(
        **{"FunctionName": name, "Runtime": RUNTIME, "Handler": "app.handler", "Role": ROLE, **more}
    )
