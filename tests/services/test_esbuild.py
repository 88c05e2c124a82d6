"""TypeScript functions are bundled with the real esbuild, deployed from their SAM template, and run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.services import stacks
from tests.services.environments import needs_node

from fogbank.templates.build import BuildError, build

Aws = Callable[..., Any]
TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: esbuild
      BuildProperties: {Minify: false, Target: es2022, Sourcemap: true, EntryPoints: [src/app.ts]}
    Properties: {FunctionName: f, CodeUri: code, Handler: app.handler, Runtime: nodejs20.x, Timeout: 20}
"""
APP = """
import { double, type Order } from "./double";
export const handler = async (event: Order): Promise<{ twice: number; options: string | undefined }> => {
  if (event.count < 0) throw new RangeError("negative");
  return { twice: double(event.count), options: process.env.NODE_OPTIONS };
};
"""
DOUBLE = "export interface Order { count: number }\nexport const double = (count: number): number => count * 2;\n"
pytestmark = [needs_node, pytest.mark.slow]


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node_modules folder with esbuild in it, from npm."""
    folder = tmp_path_factory.mktemp("esbuild")
    npm = shutil.which("npm")
    assert npm is not None
    subprocess.run([npm, "install", "--no-audit", "--no-fund", "--silent", "esbuild@0.25"], cwd=folder, check=True)
    return folder / "node_modules"


@pytest.fixture
def project(tmp_path: Path, modules: Path) -> Path:
    """A SAM project in TypeScript, its dependencies installed."""
    source = tmp_path / "code" / "src"
    source.mkdir(parents=True)
    (source / "app.ts").write_text(APP)
    (source / "double.ts").write_text(DOUBLE)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "code" / "node_modules").symlink_to(modules)
    return tmp_path


def test_a_typescript_function_runs(project: Path, aws: Aws) -> None:
    built = build(project / "template.yaml")
    (code,) = built.code
    assert sorted(file.name for file in code.folder.iterdir()) == ["app.js", "app.js.map"]
    client, lam = aws("cloudformation"), aws("lambda")
    stack = stacks.create(client, "s", built.body)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.reasons(client, "s")
    reply = lam.invoke(FunctionName="f", Payload=json.dumps({"count": 21}))
    assert json.loads(reply["Payload"].read()) == {"twice": 42, "options": "--enable-source-maps"}
    failed = json.loads(lam.invoke(FunctionName="f", Payload=b'{"count": -1}')["Payload"].read())
    assert failed["errorType"] == "RangeError"
    assert any("src/app.ts:4" in line for line in failed["trace"])


def test_the_same_source_is_bundled_once_and_a_fault_says_where_it_is(project: Path) -> None:
    first = build(project / "template.yaml")
    assert build(project / "template.yaml").body == first.body
    app = project / "code" / "src" / "app.ts"
    app.write_text(APP.replace("* 2", "* 3") + "\n// changed\n")
    assert build(project / "template.yaml").body != first.body
    app.write_text("export const handler = async () => {;\n")
    with pytest.raises(BuildError, match=r"esbuild cannot bundle it: .*Unexpected end of file.*src/app.ts:2"):
        build(project / "template.yaml")
    app.write_text('import "./nowhere";\n')
    with pytest.raises(BuildError, match="Could not resolve"):
        build(project / "template.yaml")


def test_dependencies_that_are_not_installed_are(project: Path, modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "code" / "node_modules").unlink()
    monkeypatch.setenv("PATH", f"{modules / '.bin'}{os.pathsep}{os.environ['PATH']}")
    (project / "code" / "package.json").write_text(json.dumps({"dependencies": {"ms": "2.1.3"}}))
    app = project / "code" / "src" / "app.ts"
    app.write_text('import ms from "ms";\nexport const handler = async () => ms("2 days");\n')
    told: list[str] = []
    (code,) = build(project / "template.yaml", progress=told.append).code
    run = ["node", "-e", "require('./app.js').handler().then((found) => console.log(found))"]
    found = subprocess.run(run, cwd=code.folder, capture_output=True, text=True, check=True)
    assert found.stdout == "172800000\n"
    assert told == ["F: installing 1 dependencies", "F: bundling src/app.ts"]
    assert not (project / "code" / "node_modules").exists()
