"""Loads applications by name: module:app, or module:factory()."""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
import traceback
from typing import Any

from .._core.errors import CannotServe

log = logging.getLogger("upload_response")


class NotFound(Exception):
    """The application cannot be loaded."""


def load(name: str, arguments: int, other: str) -> Any:
    """Return an application that takes `arguments` arguments. If there is none, log why, and raise
    CannotServe. other: the kind of application that it may be instead.
    """
    try:
        app = _find(name)
        _check(app, name, arguments, other)
    except NotFound as error:
        log.error("%s", error)
        raise CannotServe from None
    return app


def load_either(name: str) -> tuple[Any, bool]:
    """Return an application, and whether it is an ASGI one, as its signature says. If there is none, or
    it does not say, log why, and raise CannotServe.
    """
    try:
        app = _find(name)
        return app, _is_asgi(app, name)
    except NotFound as error:
        log.error("%s", error)
        raise CannotServe from None


def _find(name: str) -> Any:
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise NotFound(f"an application is module:app or module:factory(), not {name!r}")
    calls = path.endswith("()")
    found: Any = _import(module_name)
    for attribute in path[: -2 if calls else None].split("."):
        if not hasattr(found, attribute):
            raise NotFound(f"{name}: there is no {attribute!r} in {module_name}")
        found = getattr(found, attribute)
    return _call(found, name) if calls else found


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise _raised(f"importing {name} failed") from None
        raise NotFound(
            f"there is no module {error.name!r} in {sys.path[0] or 'this folder'} or where Python looks"
        ) from None
    except Exception:
        raise _raised(f"importing {name} failed") from None


def _call(factory: Any, name: str) -> Any:
    try:
        return factory()
    except Exception:
        raise _raised(f"{name} failed") from None


def _raised(message: str) -> NotFound:
    """Return an error with the traceback of the current exception."""
    text = "".join(traceback.format_exception(*sys.exc_info()))
    return NotFound(f"{message}\n{text.rstrip()}")


def _is_asgi(app: Any, name: str) -> bool:
    if not callable(app):
        raise NotFound(f"{name} is no application: it cannot be called")
    called = app if inspect.isroutine(app) or inspect.isclass(app) else type(app).__call__
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(called):
        return True
    two, three = _takes(app, 2), _takes(app, 3)
    if two == three:
        raise NotFound(
            f"{name} may be a WSGI or an ASGI application: say which, by wsgi or asgi in place of auto"
        )
    return three


def _takes(app: Any, arguments: int) -> bool:
    try:
        inspect.signature(app).bind(*range(arguments))
    except (TypeError, ValueError):
        return False
    return True


def _check(app: Any, name: str, arguments: int, other: str) -> None:
    if not callable(app):
        raise NotFound(f"{name} is no application: it cannot be called")
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return  # the first call will tell
    try:
        signature.bind(*range(arguments))
    except TypeError:
        raise NotFound(f"{name} does not take {arguments} arguments: is it {other} application?") from None
