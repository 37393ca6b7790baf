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


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the sources, to build in."""
    for name in ("python", "c"):
        unwanted = shutil.ignore_patterns("build", "dist", "*.egg-info", "_lib", ".*", "__pycache__")
        shutil.copytree(SDK.parent / name, tmp_path / "sdk" / name, ignore=unwanted)
    return tmp_path / "sdk" / "python"


def build(source: Path, target: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build a wheel."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation"]
    command += ["--disable-pip-version-check", "-w", str(target), str(source)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_a_wheel_is_for_every_python_of_the_platform(checkout: Path, tmp_path: Path) -> None:
    result = build(checkout, tmp_path)
    assert result.returncode == 0, result.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert re.fullmatch(r"upload_response-[\d.]+-py3-none-linux_\w+\.whl", wheel.name)
    names = zipfile.ZipFile(wheel).namelist()
    assert "upload_response/_lib/libupload_response.so" in names
    assert "upload_response/py.typed" in names
    assert not [name for name in names if not name.startswith("upload_response")]


def test_a_wheel_has_nothing_of_the_version_before(checkout: Path, tmp_path: Path) -> None:
    gone = checkout / "src" / "upload_response" / "_gone.py"
    for there in (True, False):
        gone.touch() if there else gone.unlink()
        assert build(checkout, tmp_path).returncode == 0
        (wheel,) = tmp_path.glob("*.whl")
        assert ("upload_response/_gone.py" in zipfile.ZipFile(wheel).namelist()) == there


def test_building_warns_of_nothing(checkout: Path, tmp_path: Path) -> None:
    script = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
    command = [sys.executable, "-W", "error", "-c", script, str(tmp_path)]
    result = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
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
    result = build(checkout, tmp_path, CC="no-such-compiler")
    assert result.returncode != 0
    said = [line.strip() for line in (result.stdout + result.stderr).splitlines()]
    at = said.index("a C compiler is needed: apt install gcc libc6-dev")
    assert (said[at - 1][-19:], said[at + 1]) == ("[1 lines of output]", "[end of output]")
    result = build(checkout, tmp_path, CC="false")
    assert result.returncode != 0
    assert "the C SDK does not compile" in result.stdout + result.stderr
