"""Building without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

SDK = Path(__file__).parents[1]

# The compiler without its optimiser: what is built here is looked at, and never run.
QUICK_CC = """sh -c 'exec cc "$@" -O0' cc"""


def copy(folder: Path) -> Path:
    """Copy the sources, to build in the copy."""
    for name in ("python", "c"):
        unwanted = shutil.ignore_patterns("build", "dist", "*.egg-info", "_lib", ".*", "__pycache__")
        shutil.copytree(SDK.parent / name, folder / "sdk" / name, ignore=unwanted)
    return folder / "sdk" / "python"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the sources."""
    return copy(tmp_path)


def build(source: Path, target: Path, compiler: str = QUICK_CC) -> subprocess.CompletedProcess[str]:
    """Build a wheel."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation"]
    command += ["--disable-pip-version-check", "-w", str(target), str(source)]
    environment = {**os.environ, "CC": compiler}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


class Wheels:
    """The wheels of two versions that are built from one folder, the first of which has a module more."""

    def __init__(self, folder: Path) -> None:
        checkout = copy(folder)
        extra = checkout / "src" / "upload_response" / "_extra.py"
        extra.touch()
        self.before = self._build(checkout, folder / "before")
        extra.unlink()
        self.after = self._build(checkout, folder / "after")

    def _build(self, checkout: Path, target: Path) -> Path:
        result = build(checkout, target)
        assert result.returncode == 0, result.stderr
        (wheel,) = target.glob("*.whl")
        return wheel


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """Wheels to look at."""
    return Wheels(tmp_path_factory.mktemp("wheels"))


def names_in(wheel: Path) -> list[str]:
    """Return the names of the files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.mark.xdist_group("wheels")
def test_a_wheel_is_for_every_python_of_the_platform(wheels: Wheels) -> None:
    wheel = wheels.after
    assert re.fullmatch(r"upload_response-[\d.]+-py3-none-linux_\w+\.whl", wheel.name)
    names = names_in(wheel)
    assert "upload_response/_lib/libupload_response.so" in names
    assert "upload_response/py.typed" in names
    assert not [name for name in names if not name.startswith("upload_response")]


@pytest.mark.xdist_group("wheels")
def test_a_wheel_has_nothing_of_the_version_before(wheels: Wheels) -> None:
    assert "upload_response/_extra.py" in names_in(wheels.before)
    assert "upload_response/_extra.py" not in names_in(wheels.after)


@pytest.mark.xdist_group("wheels")
def test_a_wheel_has_every_module(wheels: Wheels) -> None:
    root = SDK / "src"
    modules = {str(path.relative_to(root)) for path in (root / "upload_response").rglob("*.py")}
    assert modules == {name for name in names_in(wheels.after) if name.endswith(".py")}


def test_building_warns_of_nothing(checkout: Path, tmp_path: Path) -> None:
    script = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
    command = [sys.executable, "-W", "error", "-c", script, str(tmp_path)]
    result = subprocess.run(
        command, cwd=checkout, capture_output=True, text=True, check=False, env={**os.environ, "CC": QUICK_CC}
    )
    assert result.returncode == 0, result.stderr


def test_an_sdist_has_all_that_it_takes(checkout: Path, tmp_path: Path) -> None:
    script = "import sys, setuptools.build_meta as b; print(b.build_sdist(sys.argv[1]))"
    command = [sys.executable, "-c", script, str(tmp_path)]
    output = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout
    archive = tmp_path / output.splitlines()[-1]
    with tarfile.open(archive) as files:
        assert any(name.endswith("/c/include/upload_response.h") for name in files.getnames())
    result = build(archive, tmp_path / "wheels")
    assert result.returncode == 0, result.stderr


def test_a_missing_compiler_is_one_clear_line(checkout: Path, tmp_path: Path) -> None:
    result = build(checkout, tmp_path, "no-such-compiler")
    assert result.returncode != 0
    said = [line.strip() for line in (result.stdout + result.stderr).splitlines()]
    at = said.index("a C compiler is needed: apt install gcc libc6-dev")
    assert (said[at - 1][-19:], said[at + 1]) == ("[1 lines of output]", "[end of output]")
    result = build(checkout, tmp_path, "false")
    assert result.returncode != 0
    assert "the C SDK does not compile" in result.stdout + result.stderr
