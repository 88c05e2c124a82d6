"""`fogbank cold-starts` starts the functions of a template for real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fogbank.cli.app import main
from fogbank.cli.failures import Exit

TEMPLATE = """
Resources:
  Heavy:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: app.handler
      Role: arn:aws:iam::000000000000:role/any
      Code: code
      Environment: {Variables: {TABLE: !Ref Table}}
  Broken:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      Role: arn:aws:iam::000000000000:role/any
      Code: {ZipFile: "import nothing_there\\ndef handler(event, context): pass"}
  Table: {Type: AWS::DynamoDB::Table}
"""
HEAVY = """
import os, time
import used
assert os.environ["TABLE"] == "Table"
time.sleep(0.02)
def handler(event, context):
    import lazily
    raise RuntimeError("a handler is not called")
"""


def install(folder: Path, name: str, text: str = "") -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(text)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{name}/__init__.py,,\n{name}-1.0.dist-info/METADATA,,\n")


@pytest.mark.slow
def test_where_the_time_goes_and_what_would_save_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(HEAVY)
    install(code, "used", "import time\ntime.sleep(0.05)\n")
    install(code, "lazily")
    install(code, "waste", "#" * 10_000)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    plot = tmp_path / "cold.svg"
    with pytest.raises(SystemExit) as left:
        main(["cold-starts", str(tmp_path), "--runs", "2", "--plot", str(plot), "--json"])
    assert left.value.code == Exit.FAILED, "one of them does not start"
    heavy, broken = json.loads(capsys.readouterr().out)["functions"]
    assert heavy["parts"]["imports"]["median"] >= 0.05
    assert heavy["parts"]["init"]["median"] >= 0.02
    assert heavy["total"]["median"] >= 0.07
    assert heavy["snapStart"]["median"] < heavy["total"]["median"]
    assert heavy["provisionedConcurrency"]["saves"] > 0.05
    assert heavy["imports"][0]["name"] == "used"
    assert heavy["pruned"]["packages"] == ["waste"]
    assert heavy["pruned"]["bytes"] > 10_000
    assert "problem" not in heavy["pruned"]
    assert "No module named 'nothing_there'" in broken["problem"]
    assert plot.read_text().startswith("<svg")


def test_a_function_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text("def handler(event, context): pass\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    with pytest.raises(SystemExit) as left:
        main(["cold-starts", str(tmp_path), "--function", "Nope"])
    assert left.value.code == Exit.USAGE
    assert "there is no function Nope" in capsys.readouterr().err
