"""What the Lambda tests share: packages out of source text, and functions made of them."""

from __future__ import annotations

import io
import sys
import zipfile
from typing import Any

ROLE = "arn:aws:iam::000000000000:role/lambda-role"
RUNTIME = f"python3.{sys.version_info.minor}"
ECHO = "def handler(event, context):\n    return event\n"


def package(**files: str) -> bytes:
    """A deployment package: `package(app="...")` holds app.py."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return buffer.getvalue()


def create(client: Any, source: str = ECHO, name: str = "f", **more: Any) -> Any:
    """Create a Python function of one file."""
    more.setdefault("Code", {"ZipFile": package(app=source)})
    return client.create_function(
        **{"FunctionName": name, "Runtime": RUNTIME, "Handler": "app.handler", "Role": ROLE, **more}
    )
