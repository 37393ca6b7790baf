"""Serves the application that `upload-response run` was given: finds it, looks which interface it
has, and hands it to the gateway of the SDK.

Arguments: the folder of the module; the module; the attribute, or "" to look for one; auto, wsgi
or asgi; the file, if the application may be a program instead; the folder and the library of an SDK
that is not installed, or "".
"""

import importlib
import inspect
import os
import runpy
import sys
import traceback
import types

NAMES = ("app", "application", "asgi", "wsgi")
FACTORIES = ("create_app", "make_app")


def fail(text):
    sys.stderr.write(text.rstrip() + "\n")
    sys.exit(1)


def find_sdk(folder, library):
    if sys.version_info < (3, 9):
        fail(f"{sys.executable} is Python {sys.version.split()[0]}: version 3.9 or later is needed")
    try:
        importlib.import_module("upload_response")
    except ImportError as error:
        if not folder:
            fail(
                f"{sys.executable} cannot import the SDK ({error}): "
                f"{sys.executable} -m pip install upload-response, or ./sdk/python of a checkout"
            )
        sys.path.append(folder)
        os.environ.setdefault("UPLOAD_RESPONSE_LIBRARY", library)
        importlib.import_module("upload_response")


def load(module, folder):
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module + ".").startswith(error.name + "."):
            show(error)
        fail(f"there is no module {error.name!r} in {folder} or where Python looks")
    except Exception as error:
        show(error)


def show(error):
    """Print a traceback without the frames of this program and of the import system."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename.startswith(("<string>", "<frozen ", importlib.__file__)):
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)
    sys.exit(1)


def find(module, path):
    """Return the application and its name, or None and "" if the module has none."""
    if path:
        found = module
        for name in path.replace("()", "").split("."):
            if not hasattr(found, name):
                fail(f"there is no {name!r} in {module.__name__}{near(module)}")
            found = getattr(found, name)
        return (call(found), path) if path.endswith("()") else (found, path)
    for name in NAMES:
        if callable(getattr(module, name, None)):
            return getattr(module, name), name
    for name in FACTORIES:
        if callable(getattr(module, name, None)):
            return call(getattr(module, name)), name + "()"
    return None, ""


def near(module):
    names = [n for n in NAMES + FACTORIES if callable(getattr(module, n, None))]
    return f": did you mean {names[0]!r}?" if names else ""


def call(factory):
    try:
        return factory()
    except Exception as error:
        show(error)


def interface(app, name):
    """Return "wsgi" or "asgi", as the signature of an application tells."""
    if not callable(app):
        fail(f"{name} is no application: it cannot be called")
    called = app if inspect.isroutine(app) or inspect.isclass(app) else type(app).__call__
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(called) or hasattr(app, "__await__"):
        return "asgi"
    two, three = takes(app, 2), takes(app, 3)
    if two == three:
        fail(f"{name} may be a WSGI or an ASGI application: say which with --interface wsgi or --interface asgi")
    return "asgi" if three else "wsgi"


def takes(app, arguments):
    try:
        inspect.signature(app).bind(*range(arguments))
    except (TypeError, ValueError):
        return False
    return True


def main(folder, module, path, kind, file, sdk, library):
    sys.path.insert(0, folder)
    find_sdk(sdk, library)
    loaded = load(module, folder)
    there = getattr(loaded, "__file__", None) or "one of Python's own"
    if file and os.path.realpath(there) != os.path.realpath(file):
        fail(f"{file} has the name of another module, {there}: give it another name")
    app, path = find(loaded, path)
    if app is None and not file:
        fail(f"there is no application in {module}: looked for {', '.join(NAMES + FACTORIES)}; say which: {module}:NAME")
    if app is None:
        sys.argv[:] = [file]
        runpy.run_path(file, run_name="__main__")
        return
    name = f"{module}:{path}"
    kind = interface(app, name) if kind == "auto" else kind
    if path.endswith("()"):  # it was called, and is not to be called again
        stand_in = types.ModuleType("upload_response_run")
        stand_in.app = app
        sys.modules[stand_in.__name__] = stand_in
        name = f"{stand_in.__name__}:app"
    options = ["--threads", "8"] if kind == "wsgi" else []
    sys.argv[:] = ["upload_response", kind, name, "--app-dir", folder, "--log-level", "warning", *options]
    runpy.run_module("upload_response", run_name="__main__", alter_sys=True)


main(*sys.argv[1:8])
