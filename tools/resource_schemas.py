"""Write the schemas of CloudFormation's resource types that Fogbank ships as package data.

AWS publishes a JSON schema for every resource type; its own linter, cfn-lint (MIT-0), carries them on PyPI. This
tool takes them from that package (downloaded into a temporary folder, not a dependency), leaves out the prose and
everything that is not read (handlers, permissions, formats) and writes one file for each service, and the list of all
type names that AWS has, so that a type that Fogbank lacks can be told from one that does not exist.

    python tools/resource_schemas.py [--wheel cfn_lint-….whl]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

SERVICES = {
    "ApiGateway", "ApiGatewayV2", "CloudFormation", "CloudWatch", "CodeDeploy", "DynamoDB", "Events", "IAM", "Lambda",
    "Logs", "Pipes", "S3", "SNS", "SQS", "SSM", "Scheduler", "SecretsManager", "StepFunctions", "XRay",
}  # fmt: skip
TYPES = {"S3": {"Bucket", "BucketPolicy"}, "SSM": {"Parameter"}}
"""Services of which only some types belong to a serverless platform."""
KEYWORDS = {
    "$ref", "type", "properties", "patternProperties", "additionalProperties", "items", "required", "enum", "const",
    "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "uniqueItems", "insertionOrder",
}  # fmt: skip
TOP = {
    "createOnlyProperties", "conditionalCreateOnlyProperties", "readOnlyProperties", "writeOnlyProperties",
    "primaryIdentifier", "tagging", "definitions",
}  # fmt: skip
OUTPUT = Path(__file__).resolve().parent.parent / "src" / "fogbank" / "templates" / "schemas"
DATA = "cfnlint/data/schemas/"


def main() -> None:
    """Download the linter unless a wheel is given, and write the schemas."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help="a cfn-lint wheel that is here already")
    wheel = parser.parse_args().wheel
    with tempfile.TemporaryDirectory() as folder:
        if wheel is None:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, "cfn-lint"]
            subprocess.run(command, check=True)
            wheel = next(Path(folder).glob("cfn_lint-*.whl"))
        write(wheel)


def write(wheel: Path) -> None:
    """Write every chosen schema of `wheel`, and the list of names."""
    with zipfile.ZipFile(wheel) as archive:
        names: dict[str, str] = json.loads(archive.read(DATA + "providers/us-east-1.json"))
        by_service: dict[str, dict[str, Any]] = {}
        for name, digest in sorted(names.items()):
            _, service, kind = name.split("::", 2)
            if service in SERVICES and kind in TYPES.get(service, {kind}):
                schema = json.loads(archive.read(f"{DATA}resources/{digest}.json"))
                by_service.setdefault(service.lower(), {})[name] = strip(schema, TOP | KEYWORDS)
    OUTPUT.mkdir(exist_ok=True)
    for service, schemas in by_service.items():
        text = json.dumps(schemas, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        (OUTPUT / f"{service}.json").write_text(text + "\n", encoding="utf-8")
    (OUTPUT / "names.txt").write_text("\n".join(sorted(names)) + "\n", encoding="utf-8")


def strip(schema: Any, keywords: set[str]) -> Any:
    """A schema without prose and without the keywords that are not read."""
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key not in keywords:
            continue
        if key in ("properties", "patternProperties", "definitions"):
            kept[key] = {name: strip(child, KEYWORDS) for name, child in value.items()}
        elif key in ("items", "additionalProperties"):
            kept[key] = strip(value, KEYWORDS)
        elif key == "tagging":
            kept[key] = {k: v for k, v in value.items() if k in ("tagProperty", "cloudFormationSystemTags", "taggable")}
        else:
            kept[key] = value
    return kept


if __name__ == "__main__":
    main()
