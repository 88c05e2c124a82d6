"""JavaScript and TypeScript bundled by esbuild, as `sam build` does for `Metadata: {BuildMethod: esbuild}`.

    build/node/<key>/node_modules   what npm installed for one content of package.json, if the source has no node_modules
    build/code/<digest>/            what esbuild made

esbuild is the project's own (node_modules/.bin, of the source's folder or above), else the one on the PATH.
Source: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-build-typescript.html
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fogbank.templates._build.code import source_files
from fogbank.templates._build.errors import BuildError

METHOD = "esbuild"
MAP_OPTION = "--enable-source-maps"
_ENDINGS = (".ts", ".js", ".tsx", ".jsx", ".mts", ".mjs", ".cts", ".cjs")
_FLAGS = {"Minify": "minify", "KeepNames": "keep-names"}
_VALUES = {"Target": "target", "Format": "format", "SourcesContent": "sources-content"}
_LISTS = {"External": "external", "Loader": "loader", "OutExtension": "out-extension", "Banner": "banner",
          "Footer": "footer", "Define": "define"}  # fmt: skip
_DEFAULTS: Mapping[str, Any] = {"Minify": True, "Target": "es2020", "Format": "cjs", "MainFields": ["main", "module"]}
_OWN = frozenset({"EntryPoints", "Sourcemap", "MainFields", "UseNpmCi"})
_HANDLER = re.compile(r"(?P<path>.+)\.[^./]+")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is to be bundled: the source folder, the handler, the template's BuildProperties, and where it says so."""

    logical_id: str
    source: Path
    handler: str | None
    properties: Mapping[str, Any]
    where: str

    def entry_points(self) -> list[str]:
        """The files that bundling begins at, relative to the source; by default the handler's."""
        given = _texts(self.properties.get("EntryPoints"))
        if not given:
            match = _HANDLER.fullmatch(self.handler or "")
            if match is None:
                raise self.problem(f"its handler {self.handler!r} names no function", "write Handler: file.function")
            given = [match["path"]]
        return [self._found(name) for name in given]

    def _found(self, name: str) -> str:
        for ending in ("", *_ENDINGS):
            if (self.source / f"{name}{ending}").is_file():
                return f"{name}{ending}"
        raise self.problem(
            f"its entry point {name} does not exist", f"it is looked for in {self.source}, with {', '.join(_ENDINGS)}"
        )

    def options(self) -> list[str]:
        """esbuild's options."""
        properties = {**_DEFAULTS, **self.properties}
        unknown = [name for name in properties if name not in {*_FLAGS, *_VALUES, *_LISTS, *_OWN}]
        if unknown:
            known = ", ".join(sorted({*_FLAGS, *_VALUES, *_LISTS, *_OWN}))
            raise self.problem(f"Fogbank does not know the BuildProperty {unknown[0]}", f"it knows: {known}")
        found = ["--bundle", "--platform=node"]
        found += [f"--{flag}" for name, flag in _FLAGS.items() if properties.get(name)]
        found += [f"--{flag}={_text(properties[name])}" for name, flag in _VALUES.items() if name in properties]
        found.append(f"--main-fields={','.join(_texts(properties['MainFields']))}")
        for name, flag in _LISTS.items():
            found += [f"--{flag}:{text}" for text in _texts(properties.get(name))]
        if properties.get("Sourcemap"):
            found.append("--sourcemap")
        if "EntryPoints" not in self.properties:
            found.append("--outbase=.")  # so that the handler's folders are where it says
        return found

    def problem(self, message: str, do: str) -> BuildError:
        """What keeps it from being bundled."""
        return BuildError(f"{self.logical_id}: {message}", where=self.where, do=do)


def bundle(output: Path, wanted: Bundle, progress: Callable[[str], None]) -> Path:
    """The folder to deploy. Raises `BuildError`."""
    if not wanted.source.is_dir():
        raise wanted.problem(f"{wanted.source} is not a folder", "point CodeUri at the folder of package.json")
    entries, options = wanted.entry_points(), wanted.options()
    program = _program(wanted)
    modules = _modules(output, wanted, progress)
    digest = hashlib.sha256(json.dumps([entries, options, str(program), str(modules)]).encode())
    for file in sorted(source_files(wanted.source)):
        relative = file.relative_to(wanted.source)
        if "node_modules" not in relative.parts:
            digest.update(f"{relative}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    place = output / "code" / digest.hexdigest()[:24]
    if place.is_dir():
        return place
    progress(f"{wanted.logical_id}: bundling {', '.join(entries)}")
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=place.parent))
    try:
        _run(program, [*entries, *options, f"--outdir={temporary}", "--log-level=warning"], modules, wanted)
        temporary.chmod(0o755)
        temporary.rename(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return place


def _run(program: Path, arguments: list[str], modules: Path | None, wanted: Bundle) -> None:
    command = [str(program), *arguments]
    if modules is not None:
        command = ["env", f"NODE_PATH={modules}", *command]
    done = subprocess.run(command, cwd=wanted.source, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise wanted.problem(f"esbuild cannot bundle it: {' '.join(lines[:6])[:800]}", "mend the source")


def _program(wanted: Bundle) -> Path:
    for folder in _upward(wanted.source):
        place = folder / "node_modules" / ".bin" / "esbuild"
        if os.access(place, os.X_OK):
            return place
    found = shutil.which("esbuild")
    if found is not None:
        return Path(found)
    raise wanted.problem(
        "BuildMethod esbuild needs esbuild, which is neither in its node_modules nor on the PATH",
        f"run: npm install --save-dev esbuild (in {wanted.source}), or npm install --global esbuild",
    )


def _upward(source: Path) -> Iterator[Path]:
    yield source
    yield from source.parents


def _modules(output: Path, wanted: Bundle, progress: Callable[[str], None]) -> Path | None:
    """Where the dependencies are; `None` if there are none, or esbuild finds them by itself."""
    manifest = wanted.source / "package.json"
    if not manifest.is_file() or any((folder / "node_modules").is_dir() for folder in _upward(wanted.source)):
        return None
    try:
        dependencies = json.loads(manifest.read_text(encoding="utf-8")).get("dependencies")
    except (ValueError, AttributeError):
        raise wanted.problem("its package.json is no JSON object", "mend package.json") from None
    if not dependencies:
        return None
    names = [name for name in ("package.json", "package-lock.json", ".npmrc") if (wanted.source / name).is_file()]
    key = hashlib.sha256(b"\0".join((wanted.source / name).read_bytes() for name in names)).hexdigest()[:24]
    place = output / "node" / key
    if not place.is_dir():
        progress(f"{wanted.logical_id}: installing {len(dependencies)} dependencies")
        _install(place, wanted, names)
    return place / "node_modules"


def _install(place: Path, wanted: Bundle, names: list[str]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise wanted.problem("its dependencies are not installed, and there is no npm", "install Node.js and npm")
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=place.parent))
    try:
        for name in names:
            shutil.copy2(wanted.source / name, temporary / name)
        exact = wanted.properties.get("UseNpmCi") and "package-lock.json" in names
        command = [npm, "ci" if exact else "install", "--quiet", "--no-audit", "--no-fund", "--omit=dev"]
        done = subprocess.run(command, cwd=temporary, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            text = " ".join(done.stderr.split())[-600:]
            raise wanted.problem(f"its dependencies cannot be installed: {text}", f"try: npm install in {wanted.source}")
        temporary.chmod(0o755)
        temporary.rename(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _texts(value: Any) -> list[str]:
    """A list of texts, or one that stands alone."""
    if value is None:
        return []
    items = value if isinstance(value, list) else str(value).split(",")
    return [_text(item).strip() for item in items]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
