"""What the Lambda tests share: packages out of source text, and functions made of them."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping
from typing import Any

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


def create(client: Any, source: str = ECHO, name: str = "f", **more: Any) -> Any:
    """Create a Python function of one file."""
    more.setdefault("Code", {"ZipFile": package(app=source)})
    return client.create_function(
        **{"FunctionName": name, "Runtime": RUNTIME, "Handler": "app.handler", "Role": ROLE, **more}
    )
