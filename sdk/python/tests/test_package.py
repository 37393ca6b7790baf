"""The package as it is installed."""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import upload_response as ur
from upload_response._core import ffi

HEADER = Path(__file__).parents[2] / "c" / "include" / "upload_response.h"


def test_all_is_what_there_is() -> None:
    public = {
        name for name in vars(ur) if not name.startswith("_") and not isinstance(vars(ur)[name], type(ur))
    }
    assert public | {"__version__"} == set(ur.__all__)
    assert ur.__all__ == sorted(ur.__all__)
    namespace: dict[str, object] = {}
    exec("from upload_response import *", namespace)
    assert set(ur.__all__) <= set(namespace)


def test_every_error_is_drawn_and_has_one_base() -> None:
    drawn = set(re.findall(r"^    +(\w+)  ", ur.__doc__ or "", re.MULTILINE))
    errors = {
        name
        for name in ur.__all__
        if isinstance(getattr(ur, name), type) and issubclass(getattr(ur, name), ur.Error)
    }
    assert drawn | {"Error"} == errors
    assert issubclass(ur.InvalidResponse, ValueError)
    assert issubclass(ur.ViewsAlive, BufferError)
    assert issubclass(ur.Timeout, TimeoutError)


def test_signatures_are_those_of_the_header() -> None:
    text = re.sub(r",\n +", ", ", HEADER.read_text())  # a declaration a line
    declared = dict(re.findall(r"^UR_INLINE .*?\b(ur_\w+)\((.*)\);$", text, re.MULTILINE))
    names = {**ffi.SIGNATURES, "ur_attach": ffi.ATTACH}
    for name, (_, arguments) in names.items():
        parameters = declared[name].split(", ")
        assert len(parameters) == len(arguments), name
        for parameter, argument in zip(parameters, arguments):
            pointer = "*" in parameter
            size = 8 if pointer or re.match(r"(uint64_t|size_t|ur_request)\b", parameter) else 4
            assert ctypes.sizeof(argument) == size, (name, parameter)


def test_structs_are_those_of_the_header(tmp_path: Path) -> None:
    sizes = {
        "ur_options": ctypes.sizeof(ffi.Options),
        "ur_counters": ctypes.sizeof(ffi.Counters),
        "ur_header": ctypes.sizeof(ffi.Header),
        "ur_memory": ctypes.sizeof(ffi.Memory),
        "ur_slot": ffi.SLOT.size,
        "ur_flat_request": ffi.FLAT_REQUEST.size,
    }
    members = {"ur_options": ffi.Options, "ur_counters": ffi.Counters, "ur_memory": ffi.Memory}
    checks = [f'_Static_assert(sizeof({name}) == {size}, "{name}");' for name, size in sizes.items()]
    for name, struct in members.items():
        for field, *_ in struct._fields_:
            at = getattr(struct, field).offset
            checks.append(f'_Static_assert(offsetof({name}, {field}) == {at}, "{name}.{field}");')
    source = tmp_path / "check.c"
    source.write_text("#define UR_SHARED\n#include <upload_response.h>\n" + "\n".join(checks))
    subprocess.run(["cc", "-std=gnu11", "-fsyntax-only", f"-I{HEADER.parent}", str(source)], check=True)


def test_the_version_is_that_of_the_c_sdk() -> None:
    found = re.search(r'define UR_VERSION "(.*)"', HEADER.read_text())
    assert found
    assert found[1] == ur.__version__ == metadata.version("upload-response")


def test_nothing_is_needed_at_run_time() -> None:
    assert metadata.requires("upload-response") is None
    script = "import sys; import upload_response; print(*(m.split('.')[0] for m in sys.modules))"
    output = subprocess.run([sys.executable, "-I", "-c", script], check=True, capture_output=True, text=True)
    before = subprocess.run(
        [sys.executable, "-I", "-c", script.replace("import upload_response; ", "")],
        check=True,
        capture_output=True,
        text=True,
    )
    others = set(output.stdout.split()) - set(before.stdout.split())
    folder = Path(json.__file__).parents[1]
    known = {path.stem.split(".")[0] for path in [*folder.iterdir(), *(folder / "lib-dynload").iterdir()]}
    assert others - known - {*sys.builtin_module_names, "__mp_main__"} == {"upload_response"}


def test_the_types_are_part_of_the_package() -> None:
    assert Path(ur.__file__).with_name("py.typed").exists()


def test_another_library_can_be_named() -> None:
    script = "import upload_response"
    environment = {"UPLOAD_RESPONSE_LIBRARY": "/nonexistent.so"}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert "ImportError: upload_response: cannot use the C library /nonexistent.so" in result.stderr


def test_importing_starts_nothing_and_prints_nothing() -> None:
    script = "import threading, upload_response; print(threading.active_count())"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("1\n", "")
