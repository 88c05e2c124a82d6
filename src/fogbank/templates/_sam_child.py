"""AWS's SAM translator in a process of its own: requests come in as lines of JSON, and so do the answers go out.

    {"template": {…}, "parameters": {…}, "region": "us-east-1"}  →  {"template": {…}} | {"error": "…"}

It is a process because the translator takes most of a second to import and some 50 MB to keep, which the server should
not pay while it idles; and it must not import anything of Fogbank's, so that it starts quickly. The translator needs no
network: it has the managed policies that its package bundles, and a session that only knows its region.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

warnings.simplefilter("ignore")

from samtranslator.model.exceptions import InvalidDocumentException  # noqa: E402 - after its warnings are silenced
from samtranslator.parser.parser import Parser  # noqa: E402
from samtranslator.translator.translator import Translator  # noqa: E402


class Session:
    """What the translator asks of a boto3 session."""

    def __init__(self, region: str) -> None:
        self.region_name = region

    def get_partition_for_region(self, region: str) -> str:
        """The partition of a region."""
        if region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def translate(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request."""
    translator = Translator(None, Parser(), boto_session=Session(request["region"]))
    try:
        return {"template": translator.translate(request["template"], request["parameters"])}
    except InvalidDocumentException as error:
        causes = [cause.message for cause in getattr(error, "causes", None) or ()]
        return {"error": " ".join([error.message, *causes])}
    except Exception as error:  # noqa: BLE001 - the supervisor of this process: the template's author gets the answer
        return {"error": f"Internal transform failure. ({type(error).__name__}: {error})"}


def main() -> None:
    """Answer requests until the input ends."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(translate(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
