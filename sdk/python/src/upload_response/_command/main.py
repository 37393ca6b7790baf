"""The command line: python -m upload_response wsgi module:app, and asgi."""

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
    """Run a command, and return its exit status."""
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


_positive.__name__, _seconds.__name__ = "number", "number of seconds"  # for what argparse says


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
SIGTERM and SIGINT end it when what is running has finished; a second one ends
it at once. A server that is not there yet, or goes away, is waited for."""


def _add_options(command: argparse.ArgumentParser, name: str) -> None:
    add = command.add_argument
    add("app", metavar="MODULE:APP", help="the application, or MODULE:FACTORY() for what a function returns")
    add(
        "--socket",
        metavar="PATH",
        help=f"the server's socket ($UPLOAD_RESPONSE_SOCKET; {default_socket()})".replace("%", "%%"),
    )
    add(
        "--server-uid",
        metavar="UID",
        type=_positive,
        help="a user whose server is believed, beside our own and root ($UPLOAD_RESPONSE_SERVER_UID)",
    )
    add("--pool", metavar="NAME", help="pool to serve ($UPLOAD_RESPONSE_POOL, or default)")
    add(
        "--processes",
        metavar="N",
        type=_positive,
        default=1,
        help="processes; one that ends is started again (1)",
    )
    if name == "wsgi":
        add(
            "--threads",
            metavar="N",
            type=_positive,
            default=1,
            help="threads of each process, a request at a time in each (1)",
        )
    else:
        add(
            "--concurrency",
            "--lanes",
            metavar="N",
            type=_positive,
            default=256,
            help="requests at once in each process (256)",
        )
        add(
            "--loop",
            choices=loops.NAMES,
            default="auto",
            help="event loop; auto: uvloop if it is installed (auto)",
        )
    add("--root-path", metavar="PATH", type=_root_path, default="", help="where the application is mounted")
    add("--app-dir", metavar="PATH", default=".", help="where to look for the module (.)")
    add("--chdir", metavar="PATH", help="change to this folder first")
    add(
        "--graceful-timeout",
        metavar="S",
        type=_seconds,
        default=30.0,
        help="seconds for requests to finish at the end (30)",
    )
    add("--reload", action="store_true", help="start again when a source file changes; for development")
    add("--log-level", choices=_LEVELS, default="info", help="(info)")
