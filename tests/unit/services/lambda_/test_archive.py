"""Deployment packages are believed in nothing."""

from __future__ import annotations

import contextlib
import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.lambda_ import _archive
from fogbank.services.lambda_.errors import InvalidParameterValueError

CORRUPT = "Could not unzip uploaded file. Please check your file, then try to upload again."


def package(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return buffer.getvalue()


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry, target.encode()


def unpack(data: bytes, folder: Path) -> Path:
    source = folder / "package.zip"
    source.write_bytes(data)
    target = folder / "out"
    target.mkdir()
    _archive.unpack(source, target)
    return target


def test_files_come_out_with_their_modes(tmp_path: Path) -> None:
    program = zipfile.ZipInfo("bin/run")
    program.create_system = 3
    program.external_attr = 0o755 << 16
    out = unpack(package(("app.py", b"x"), (program, b"#!"), ("empty/", b"")), tmp_path)
    assert (out / "app.py").read_bytes() == b"x"
    assert (out / "bin/run").stat().st_mode & 0o111
    assert (out / "empty").is_dir()


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\evil"])
def test_names_that_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(InvalidParameterValueError, match="Could not unzip"):
        _archive.check(package((name, b"x")))


def test_links_inside_are_kept_and_links_that_point_out_are_refused(tmp_path: Path) -> None:
    out = unpack(package(("lib/real.so", b"x"), link("lib/link.so", "real.so")), tmp_path)
    assert (out / "lib/link.so").read_bytes() == b"x"
    for number, target in enumerate(("/etc/passwd", "../../out", "../../../etc")):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(InvalidParameterValueError):
            unpack(package(link("lib/link", target)), folder)


def test_a_file_cannot_be_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(InvalidParameterValueError):
        unpack(package(link("d", str(outside)), ("d/evil", b"x")), tmp_path)
    assert not list(outside.iterdir())


def test_a_name_cannot_be_a_file_and_a_folder(tmp_path: Path) -> None:
    packages = (
        package(("a", b"x"), ("a/b", b"y")),
        package(("a/b", b"y"), ("a", b"x")),
        package(("a/b", b"y"), link("a", "c")),
    )
    for number, data in enumerate(packages):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(InvalidParameterValueError):
            unpack(data, folder)


@pytest.mark.parametrize("data", [b"PK", b"not a zip", b"\x00" * 100])
def test_what_is_no_zip_is_refused_with_the_words_of_aws(data: bytes) -> None:
    with pytest.raises(InvalidParameterValueError) as raised:
        _archive.check(data)
    assert raised.value.message == CORRUPT


def test_an_empty_package_is_refused() -> None:
    for data in (b"", package()):
        with pytest.raises(InvalidParameterValueError, match="non-empty zip"):
            _archive.check(data)


def test_a_package_that_grows_past_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_archive, "MAX_UNZIPPED", 1_000)
    with pytest.raises(InvalidParameterValueError, match="Unzipped size must be smaller than 262144000 bytes"):
        _archive.check(package(("a", b"x" * 1_001)))


def test_a_package_that_lies_about_its_size_is_stopped_while_it_grows(tmp_path: Path) -> None:
    data = bytearray(package(("a", b"\0" * 100_000)))
    for at in (data.find(b"PK\x03\x04") + 22, data.find(b"PK\x01\x02") + 24):
        data[at : at + 4] = struct.pack("<I", 10)
    with pytest.raises(InvalidParameterValueError):
        unpack(bytes(data), tmp_path)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) <= _archive.MAX_UNZIPPED


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    data = bytearray(package(("a", bytes(range(256)) * 50)))
    data[60:90] = b"\xff" * 30
    with pytest.raises(InvalidParameterValueError):
        unpack(bytes(data), tmp_path)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    with contextlib.suppress(InvalidParameterValueError):
        _archive.check(data)


@given(at=st.integers(0, 400), value=st.integers(0, 255))
def test_no_damage_breaks_it(at: int, value: int) -> None:
    data = bytearray(package(("app.py", b"x = 1\n"), ("lib/b.py", b"y = 2\n" * 20)))
    data[at % len(data)] = value
    with contextlib.suppress(InvalidParameterValueError):
        _archive.check(bytes(data))


def test_a_folder_packs_to_the_same_bytes_each_time(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    (folder / "pkg" / "__pycache__").mkdir(parents=True)
    (folder / "pkg" / "__pycache__" / "a.pyc").write_bytes(b"no")
    (folder / "pkg" / "a.py").write_text("x")
    (folder / "app.py").write_text("y")
    data = _archive.pack(folder)
    assert data == _archive.pack(folder)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["app.py", "pkg/a.py"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterValueError, match="absolute path of a folder"):
        _archive.pack(tmp_path / "missing")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(package(("n" * 256, b"x")), id="a name that no file system has"),
        pytest.param(package(("a/" * 3000 + "x", b"x")), id="a path that is too long"),
        pytest.param(package(("a", b"x"), method=zipfile.ZIP_BZIP2), id="a method that Lambda does not know"),
        pytest.param(package(("a", b"x"), method=zipfile.ZIP_LZMA), id="another"),
    ],
)
def test_what_could_not_be_unpacked_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(InvalidParameterValueError, match="Could not unzip"):
        _archive.check(data)


def test_of_one_name_twice_the_later_stays(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = package(("app.py", b"first"), ("app.py", b"second"))
    assert (unpack(data, tmp_path) / "app.py").read_bytes() == b"second"


def test_whoever_runs_a_function_can_read_it(tmp_path: Path) -> None:
    """A package that a program wrote has often files for its owner only; the sandbox's user is another."""
    private = zipfile.ZipInfo("app.py")
    private.create_system = 3
    private.external_attr = 0o600 << 16
    assert (unpack(package((private, b"x")), tmp_path) / "app.py").stat().st_mode & 0o777 == 0o644


@given(at=st.integers(0, 400), value=st.integers(0, 255))
def test_no_damage_breaks_unpacking(at: int, value: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = bytearray(package(("app.py", b"x = 1\n"), ("lib/b.py", b"y = 2\n" * 20)))
    data[at % len(data)] = value
    with contextlib.suppress(InvalidParameterValueError):
        unpack(bytes(data), tmp_path_factory.mktemp("unpacked"))
