"""Local code made ready, and the template pointed at it."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fogbank.templates.build import Build, BuildError, build

TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.11}}
Parameters: {Folder: {Type: String, Default: src}}
Resources:
  One: {Type: AWS::Serverless::Function, Properties: {CodeUri: src, Handler: app.handler}}
  Two: {Type: AWS::Serverless::Function, Properties: {CodeUri: !Ref Folder, Handler: app.other}}
"""
SOURCE = "from elsewhere import other\ndef handler(event, context): return 1\n"


def project(folder: Path, template: str = TEMPLATE, **files: str) -> Path:
    files.setdefault("src/app.py", SOURCE)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    path = folder / "template.yaml"
    path.write_text(template)
    return path


def properties(built: Build, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(built.body)["Resources"][name]["Properties"]
    return found


def refused(template: Path) -> BuildError:
    with pytest.raises(BuildError) as caught:
        build(template)
    return caught.value


def test_local_code_is_copied_and_the_template_points_at_it(tmp_path: Path) -> None:
    built = build(project(tmp_path, **{"src/__pycache__/x.pyc": "", "src/pkg/m.py": "", "src/.git/config": ""}))
    uri = properties(built, "One")["CodeUri"]
    assert uri["Bucket"] == "fogbank-local"
    folder = Path(uri["Key"])
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == ["app.py", "pkg/m.py"]
    assert properties(built, "Two")["CodeUri"] == uri
    assert built.arguments == {"TemplateBody": built.body}
    assert set(built.watched) == {tmp_path / "template.yaml", tmp_path / "src"}
    assert [each.logical_id for each in built.code] == ["One", "Two"]


def test_code_is_named_by_its_content(tmp_path: Path) -> None:
    """The same code is the same template; changed code is a changed template, and the old code stays as it was."""
    template = project(tmp_path)
    first = build(template)
    assert build(template).body == first.body
    (tmp_path / "src" / "app.py").write_text(SOURCE + "# changed\n")
    second = build(template)
    assert second.body != first.body
    assert (first.code[0].folder / "app.py").read_text() == SOURCE


class Pip:
    """Stands in for pip: installs a module, and counts."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        target = Path(command[command.index("--target") + 1])
        (target / "library").mkdir()
        (target / "library" / "__init__.py").write_text("library")
        (target / "app.py").write_text("shadowed by the source")
        failed = "bad" in Path(command[command.index("--requirement") + 1]).read_text()
        return subprocess.CompletedProcess(command, int(failed), "", "ERROR: No matching distribution for bad\n")


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    fake = Pip()
    monkeypatch.setattr(subprocess, "run", fake)
    return fake


def test_requirements_are_installed_once_for_each_content(tmp_path: Path, pip: Pip) -> None:
    told: list[str] = []
    template = project(tmp_path, **{"src/requirements.txt": "# what is needed\nlibrary\n"})
    folder = build(template, progress=told.append).code[0].folder
    assert (folder / "library" / "__init__.py").read_text() == "library"
    assert (folder / "app.py").read_text() == SOURCE
    assert told == ["One: installing 1 requirement"]
    (tmp_path / "src" / "app.py").write_text(SOURCE + "# changed\n")
    again = build(template).code[0].folder
    assert len(pip.commands) == 1
    assert (folder / "library" / "__init__.py").samefile(again / "library" / "__init__.py")
    (tmp_path / "src" / "requirements.txt").write_text("library>2\n")
    build(template)
    assert len(pip.commands) == 2


def test_the_store_of_requirements_is_not_changed_by_sources_of_the_same_name(tmp_path: Path, pip: Pip) -> None:
    build(project(tmp_path, **{"src/requirements.txt": "library\n"}))
    (stored,) = (tmp_path / ".fogbank" / "build" / "requirements").glob("*/app.py")
    assert stored.read_text() == "shadowed by the source"


def test_another_python_gets_packages_for_it(tmp_path: Path, pip: Pip) -> None:
    template = TEMPLATE.replace("python3.11", "python3.13")
    build(project(tmp_path, template, **{"src/requirements.txt": "library\n"}))
    assert pip.commands[0][-6:] == ["--python-version", "3.13", "--implementation", "cp", "--only-binary", ":all:"]


def test_requirements_that_cannot_be_installed_are_told(tmp_path: Path, pip: Pip) -> None:
    error = refused(project(tmp_path, **{"src/requirements.txt": "bad\n"}))
    assert error.message == "One: its requirements cannot be installed: ERROR: No matching distribution for bad"
    assert error.where == str(tmp_path / "src" / "requirements.txt")
    assert list((tmp_path / ".fogbank" / "build" / "requirements").iterdir()) == []


def test_layers_are_built_into_python(tmp_path: Path, pip: Pip) -> None:
    template = """
Resources:
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: src}
    Metadata: {BuildMethod: python3.11}
  Plain: {Type: AWS::Lambda::LayerVersion, Properties: {Content: src}}
"""
    built = build(project(tmp_path, template, **{"src/requirements.txt": "library\n"}))
    layer = Path(properties(built, "Layer")["ContentUri"]["Key"])
    assert (layer / "python" / "library" / "__init__.py").is_file()
    assert (layer / "python" / "app.py").is_file()
    plain = properties(built, "Plain")["Content"]
    assert plain["S3Bucket"] == "fogbank-local"
    assert (Path(plain["S3Key"]) / "app.py").is_file()


def test_zip_files_and_single_files_are_packages_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("app.py", SOURCE)
    template = """
Resources:
  Zip: {Type: AWS::Lambda::Function, Properties: {Code: code.zip, Handler: app.handler, Runtime: python3.11}}
  File: {Type: AWS::Lambda::Function, Properties: {Code: src/app.py, Handler: app.handler, Runtime: python3.11}}
"""
    built = build(project(tmp_path, template))
    for name in ("Zip", "File"):
        assert (Path(properties(built, name)["Code"]["S3Key"]) / "app.py").read_text() == SOURCE


def test_a_zip_file_that_escapes_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("../escaped.py", "")
    template = "Resources: {F: {Type: AWS::Lambda::Function, Properties: {Code: code.zip}}}"
    assert "a path outside its folder" in refused(project(tmp_path, template)).message
    assert not (tmp_path / ".fogbank" / "build" / "escaped.py").exists()


def test_what_is_not_local_is_left_alone(tmp_path: Path) -> None:
    template = """
Resources:
  Inline: {Type: AWS::Serverless::Function, Properties: {InlineCode: 'x', Handler: index.handler, Runtime: python3.11}}
  Bucket: {Type: AWS::Serverless::Function, Properties: {CodeUri: s3://b/k, Handler: a.b, Runtime: python3.11}}
  Dict: {Type: AWS::Lambda::Function, Properties: {Code: {S3Bucket: b, S3Key: k}}}
"""
    built = build(project(tmp_path, template))
    assert "CodeUri" not in properties(built, "Inline")
    assert properties(built, "Bucket")["CodeUri"] == "s3://b/k"
    assert properties(built, "Dict")["Code"] == {"S3Bucket": "b", "S3Key": "k"}


def test_other_local_files_are_pointed_at(tmp_path: Path) -> None:
    template = """
Resources:
  Machine: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: machine.json}}
  Inner: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: inner/template.yaml}}
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: p
      DefinitionBody: {'Fn::Transform': {Name: AWS::Include, Parameters: {Location: api.yaml}}}
"""
    inner = "Resources: {F: {Type: AWS::Lambda::Function, Properties: {Code: src}}}"
    files = {"machine.json": "{}", "api.yaml": "a: 1", "inner/template.yaml": inner, "inner/src/app.py": "x = 1"}
    built = build(project(tmp_path, template, **files))
    place = properties(built, "Machine")["DefinitionUri"]
    assert place["Bucket"] == "fogbank-local"
    assert Path(place["Key"]).read_text() == "{}"
    url = properties(built, "Inner")["TemplateURL"]
    nested = json.loads(Path("/" + url.split(".com/", 1)[1]).read_text())
    assert nested["Resources"]["F"]["Properties"]["Code"]["S3Bucket"] == "fogbank-local"
    call = properties(built, "Api")["DefinitionBody"]["Fn::Transform"]
    assert call["Parameters"]["Location"] == f"s3://fogbank-local{tmp_path / 'api.yaml'}"
    assert tmp_path / "inner" / "src" in built.watched


def test_a_large_template_goes_by_its_place(tmp_path: Path) -> None:
    built = build(project(tmp_path, TEMPLATE + f"Metadata: {{x: {'y' * 52_000}}}"))
    url = built.arguments["TemplateURL"]
    assert url == f"https://fogbank-local.s3.amazonaws.com{built.body_path}"
    assert built.body_path.read_text() == built.body


@pytest.mark.parametrize(
    ("template", "message", "line", "advice"),
    [
        ("a: [", "Template format error: YAML not well-formed. (line 2, column 1)", None, "mend the template"),
        ("a: b", "the template has no Resources", None, ""),
        (TEMPLATE.replace("CodeUri: src,", "CodeUri: nowhere,"), "One: its CodeUri nowhere does not exist", 5,
         "it is looked for at"),
        (TEMPLATE.replace("app.other", "lost.other"),
         "Two: its handler lost.other is in lost.py, which does not exist", 6, "it is looked for in"),
        (TEMPLATE.replace("app.other", "app.lost"), "Two: app.py has no lost, which its handler app.lost names", 1,
         "define lost(event, context), or change Handler"),
        (TEMPLATE.replace("app.other", "app"), "Two: its handler 'app' names no function", 6,
         "write Handler: module.function"),
        ("Resources:\n  Q: {Type: 'AWS::SQS::Quue'}", "Q: there is no resource type AWS::SQS::Quue", 2,
         "check its spelling"),
        ("Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      Dealy: 5",
         "Q: AWS::SQS::Queue has no property Dealy", 5, "it has: Arn, ContentBasedDeduplication"),
        ("Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}",
         "F is a container image, which Fogbank does not run yet", 4, "package it as a zip file"),
        (("Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Metadata: {BuildMethod: makefile}\n"
         "    Properties: {CodeUri: src}"),
         "F: Fogbank does not implement BuildMethod makefile", 5, "build it yourself"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place_and_what_to_do(
    tmp_path: Path, template: str, message: str, line: int | None, advice: str
) -> None:
    error = refused(project(tmp_path, template))
    assert error.message == message
    assert advice in error.do
    if line is not None:
        assert error.where.endswith(f":{line}")


def test_a_module_that_cannot_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    error = refused(project(tmp_path, **{"src/app.py": "def handler(:\n"}))
    assert error.where == f"{tmp_path / 'src' / 'app.py'}:1"
    assert "cannot be read: invalid syntax" in error.message


def test_old_code_folders_are_removed_in_time(tmp_path: Path) -> None:
    template = project(tmp_path)
    for number in range(14):
        (tmp_path / "src" / "app.py").write_text(SOURCE + f"# {number}\n")
        build(template)
    assert len(list((tmp_path / ".fogbank" / "build" / "code").iterdir())) == 11
