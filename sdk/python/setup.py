"""Compiles the C SDK into the wheel, which is for any Python 3 of this platform."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).parent.resolve()
SOURCES = ("include/upload_response.h", "src/upload_response.c", "src/upload_response.map")


def c_sdk() -> Path:
    """Return where the C SDK is: beside us in a checkout, a copy of it in an sdist."""
    for folder in (HERE.parent / "c", HERE / "c"):
        if (folder / SOURCES[0]).exists():
            return folder
    raise SystemExit("the C SDK is missing: build from a checkout or from an sdist")


def c_compiler() -> list[str]:
    """Return the command of the C compiler."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(compiler[0]) is None:
        raise SystemExit("a C compiler is needed: apt install gcc libc6-dev")
    return compiler


def compile_library(target: Path) -> None:
    """Compile the library, as sdk/c/Makefile does."""
    compiler, source = c_compiler(), c_sdk()
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *compiler,
        *("-std=c11", "-O2", "-D_GNU_SOURCE", "-fPIC", "-shared", f"-I{source / 'include'}"),
        f"-Wl,--version-script={source / SOURCES[2]}",
        *("-o", str(target), str(source / SOURCES[1])),
    ]
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit(
            "the C SDK does not compile: is the C library there? apt install gcc libc6-dev"
        ) from None


class BuildPy(build_py):
    """Adds the library; to the sources themselves for an editable install."""

    def run(self) -> None:
        shutil.rmtree(Path(self.build_lib) / "upload_response", ignore_errors=True)  # of another version
        super().run()
        root = HERE / "src" if self.editable_mode else Path(self.build_lib)
        compile_library(root / "upload_response" / "_lib" / "libupload_response.so")


class Sdist(sdist):
    """Adds a copy of the C SDK."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        for name in SOURCES:
            copy = Path(base_dir) / "c" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(c_sdk() / name, copy)


class Wheel(bdist_wheel):
    """A wheel for every Python 3, and for one platform."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


class Binary(Distribution):
    """A distribution that is not for every platform."""

    def has_ext_modules(self) -> bool:
        return True


if {"bdist_wheel", "editable_wheel"}.intersection(sys.argv):
    c_compiler()  # a machine without one is told so before all output of setuptools

setup(cmdclass={"build_py": BuildPy, "sdist": Sdist, "bdist_wheel": Wheel}, distclass=Binary)
