"""The AWS command line, unmodified, and S3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ServerProcess

RUN = """
import json, sys
from awscli.clidriver import create_clidriver
for line in json.load(sys.stdin):
    code = create_clidriver().main(line)
    sys.stdout.flush()
    if code:
        sys.exit(f"{line}: {code}")
"""


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_files_go_and_come(server: ServerProcess, aws: Callable[..., Any], tmp_path: Path) -> None:
    """`mb`, `cp` of a file in parts, `sync` both ways, `ls`, `presign`, `rm`, `rb`."""
    large = os.urandom(9 * 1024 * 1024)
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "sub dir").mkdir(parents=True)
    (here / "large").write_bytes(large)
    (here / "sub dir" / "ü.txt").write_text("text")
    commands = [
        ["s3", "mb", "s3://cli"],
        ["s3", "cp", str(here / "large"), "s3://cli/copied", "--only-show-errors"],
        ["s3", "cp", "s3://cli/copied", "s3://cli/again", "--only-show-errors"],
        ["s3", "sync", str(here), "s3://cli/tree", "--only-show-errors"],
        ["s3", "sync", "s3://cli/tree", str(there), "--only-show-errors"],
        ["s3", "sync", str(here), "s3://cli/tree"],
        ["s3", "ls", "s3://cli/tree/", "--recursive"],
        ["s3", "presign", "s3://cli/again"],
    ]
    lines = run(server, tmp_path, commands).splitlines()
    assert (there / "large").read_bytes() == large
    assert (there / "sub dir" / "ü.txt").read_text() == "text"
    assert [line.split(maxsplit=3)[3] for line in lines[1:3]] == ["tree/large", "tree/sub dir/ü.txt"], "nothing twice"
    assert urllib.request.urlopen(lines[3]).read() == large
    run(server, tmp_path, [["s3", "rm", "s3://cli", "--recursive", "--only-show-errors"], ["s3", "rb", "s3://cli"]])
    assert aws("s3").list_buckets()["Buckets"] == []


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: packed, Handler: app.handler, Runtime: python3.12, CodeUri: src}
"""


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_packages_lie_in_a_bucket(server: ServerProcess, aws: Callable[..., Any], tmp_path: Path) -> None:
    """`aws cloudformation package`, then `deploy` with the template in the bucket too."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("def handler(event, context):\n    return 'from a bucket'\n")
    template, packed = tmp_path / "template.yaml", tmp_path / "packed.yaml"
    template.write_text(TEMPLATE)
    bucket = ["--s3-bucket", "artifacts"]
    files = ["--template-file", str(template), "--output-template-file", str(packed)]
    deploy = ["--template-file", str(packed), "--stack-name", "s", "--capabilities", "CAPABILITY_IAM"]
    commands = [
        ["s3", "mb", "s3://artifacts"],
        ["cloudformation", "package", *files, *bucket],
        ["cloudformation", "deploy", *deploy, *bucket],
    ]
    run(server, tmp_path, commands)
    assert "s3://artifacts/" in packed.read_text()
    assert aws("lambda").invoke(FunctionName="packed")["Payload"].read() == b'"from a bucket"'
    assert aws("s3").list_objects_v2(Bucket="artifacts")["KeyCount"] == 2


def run(server: ServerProcess, home: Path, commands: list[list[str]]) -> str:
    """What commands print, one after the other in one process."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.endpoint,
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
