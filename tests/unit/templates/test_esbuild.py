"""What esbuild is asked to do for a template's BuildProperties, and what is refused before it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fogbank.templates._build.esbuild import Bundle, bundle
from fogbank.templates.build import BuildError


def wanted(folder: Path, handler: str | None = "app.handler", **properties: Any) -> Bundle:
    return Bundle("F", folder, handler, properties, "template.yaml:3")


def source(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("export const handler = async () => 1;\n")
    return folder


def test_the_handler_is_the_entry_point_by_default(tmp_path: Path) -> None:
    folder = source(tmp_path, "app.ts", "src/get.js")
    assert wanted(folder).entry_points() == ["app.ts"]
    assert wanted(folder, "src/get.handler").entry_points() == ["src/get.js"]
    assert wanted(folder, EntryPoints=["src/get.js", "app"]).entry_points() == ["src/get.js", "app.ts"]
    assert wanted(folder).options() == [
        "--bundle",
        "--platform=node",
        "--minify",
        "--target=es2020",
        "--format=cjs",
        "--main-fields=main,module",
        "--outbase=.",
    ]


def test_properties_become_options(tmp_path: Path) -> None:
    options = wanted(
        tmp_path,
        EntryPoints=["app.ts"],
        Minify=False,
        KeepNames=True,
        Target="node20",
        Format="esm",
        MainFields="module,main",
        External=["@aws-sdk/*", "pg"],
        Loader=[".png=dataurl"],
        OutExtension=[".js=.mjs"],
        Banner=["js=//x"],
        Sourcemap=True,
        SourcesContent=False,
    ).options()
    assert options == [
        "--bundle",
        "--platform=node",
        "--keep-names",
        "--target=node20",
        "--format=esm",
        "--sources-content=false",
        "--main-fields=module,main",
        "--external:@aws-sdk/*",
        "--external:pg",
        "--loader:.png=dataurl",
        "--out-extension:.js=.mjs",
        "--banner:js=//x",
        "--sourcemap",
    ]


@pytest.mark.parametrize(
    ("handler", "properties", "problem"),
    [
        ("app.handler", {}, "entry point app does not exist"),
        (None, {}, "names no function"),
        ("there.handler", {"Splitting": True}, "does not know the BuildProperty Splitting"),
    ],
)
def test_what_cannot_be_bundled(tmp_path: Path, handler: str | None, properties: Any, problem: str) -> None:
    source(tmp_path, "there.ts")
    with pytest.raises(BuildError, match=problem):
        bundle(tmp_path / "out", wanted(tmp_path, handler, **properties), lambda _: None)


def test_without_esbuild_the_build_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="npm install --save-dev esbuild"):
        bundle(tmp_path / "out", wanted(source(tmp_path / "src", "app.ts")), lambda _: None)
