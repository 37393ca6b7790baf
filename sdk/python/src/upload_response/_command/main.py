"""The command line: python -m upload_response wsgi|asgi|auto module:app."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from .._core.errors import AttachError, CannotServe
from .._core.link import default_socket
from .._core.worker import WorkerOptions
from .._serving import loops
from .._serving.attach_log import attach_log
from .._serving.service import Service
from .._version import VERSION
from ..asgi import _gateway as asgi
from ..wsgi import _gateway as wsgi
from . import loading
from .reload import keep_reloading

log = logging.getLogger("upload_response")

_LEVELS = ("debug", "info", "warning", "error")


def main(arguments: list[str] | None = None) -> int:
    """Run a command, and return the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(words)
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(process)d %(message)s"
    )
    try:
        _enter(options)
        if options.reload:
            return keep_reloading(words, Path(options.app_dir))
        attach_log.read_environment()
        options.run(options)
    except CannotServe:
        return 1
    except (AttachError, OSError, ValueError) as error:
        log.error("%s", error)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _enter(options: argparse.Namespace) -> None:
    if options.chdir:
        os.chdir(options.chdir)
    folder = str(Path(options.app_dir).resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _attach_options(options: argparse.Namespace, lanes: int) -> WorkerOptions:
    name = f"{options.command} {options.app}"[:128]
    return WorkerOptions(options.socket, options.pool, lanes, name, server_uid=options.server_uid)


def _wsgi(options: argparse.Namespace) -> None:
    wsgi.run(
        lambda: loading.load(options.app, 2, "an ASGI"),
        _attach_options(options, 1),
        Service(options.processes, options.graceful_timeout),
        options.threads,
        options.root_path,
    )


def _asgi(options: argparse.Namespace) -> None:
    asgi.run(
        lambda: loading.load(options.app, 3, "a WSGI"),
        _attach_options(options, options.concurrency),
        Service(options.processes, options.graceful_timeout),
        options.root_path,
        loops.factory(options.loop),
    )


def _auto(options: argparse.Namespace) -> None:
    app, is_asgi = loading.load_either(options.app)
    service = Service(1, options.graceful_timeout)
    if is_asgi:
        options.command = "asgi"
        attach = _attach_options(options, options.concurrency)
        asgi.run(lambda: app, attach, service, options.root_path, loops.factory(options.loop))
        return
    options.command = "wsgi"
    wsgi.run(lambda: app, _attach_options(options, 1), service, options.threads, options.root_path)


# ----------------------------------------------------------------- options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1e9:
        raise ValueError
    return number


def _root_path(text: str) -> str:
    if text and not text.startswith("/"):
        raise argparse.ArgumentTypeError("a path begins with /")
    return text.rstrip("/")


_positive.__name__, _seconds.__name__ = "number", "number of seconds"  # for the messages of argparse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m upload_response",
        description="Serve a Python web application as a worker of upload-response.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"upload-response {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, run, what in (
        ("wsgi", _wsgi, "a WSGI application: Flask, Django, ..."),
        ("asgi", _asgi, "an ASGI application: FastAPI, Starlette, Django, ..."),
        ("auto", _auto, "a WSGI or an ASGI application, as its signature says, in one process"),
    ):
        command = commands.add_parser(
            name,
            help=what,
            usage=f"python -m upload_response {name} MODULE:APP [options]",
            description=f"Serve {what}",
            epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run)
        _add_options(command, name)
    return parser


_EPILOG = """\
SIGTERM and SIGINT end the worker when the running requests have finished; a
second one ends it at once. While there is no server, the worker waits for it."""


def _add_options(command: argparse.ArgumentParser, name: str) -> None:
    add = command.add_argument
    add("app", metavar="MODULE:APP", help="the application, or MODULE:FACTORY() for the result of a call")
    add(
        "--socket",
        metavar="PATH",
        help=f"socket of the server ($UPLOAD_RESPONSE_SOCKET, or {default_socket()})".replace("%", "%%"),
    )
    add(
        "--server-uid",
        metavar="UID",
        type=_positive,
        help="trust a server of this user, too, besides our own user and root ($UPLOAD_RESPONSE_SERVER_UID)",
    )
    add("--pool", metavar="NAME", help="pool to serve ($UPLOAD_RESPONSE_POOL, or default)")
    if name != "auto":  # it has to import the application to know
        add(
            "--processes",
            metavar="N",
            type=_positive,
            default=1,
            help="number of processes; one that ends is started again (1)",
        )
    if name != "asgi":
        add(
            "--threads",
            metavar="N",
            type=_positive,
            default=1,
            help="threads in each process; each serves one request at a time (1)",
        )
    if name != "wsgi":
        add(
            "--concurrency",
            "--lanes",
            metavar="N",
            type=_positive,
            default=256,
            help="requests that each process serves at the same time (256)",
        )
        add(
            "--loop",
            choices=loops.NAMES,
            default="auto",
            help="event loop; auto is uvloop if it is installed (auto)",
        )
    add(
        "--root-path",
        metavar="PATH",
        type=_root_path,
        default="",
        help="path where the application is mounted (none)",
    )
    add("--app-dir", metavar="PATH", default=".", help="folder of the module (.)")
    add("--chdir", metavar="PATH", help="change to this folder before anything else")
    add(
        "--graceful-timeout",
        metavar="S",
        type=_seconds,
        default=30.0,
        help="seconds that running requests have to finish at the end; 0: none (30)",
    )
    add("--reload", action="store_true", help="start again when a source file changes; for development")
    add("--log-level", choices=_LEVELS, default="info", help="least severe messages to log (info)")
