"""Where a worker attaches, whom it believes, and what it says until it can."""

from __future__ import annotations

import errno
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import upload_response as ur
from conftest import Process, Server
from gateways import APPS, command
from upload_response._core.ffi import Options
from upload_response._core.link import Server as Peer
from upload_response._core.link import default_socket
from upload_response._core.worker import WorkerOptions
from upload_response._serving.attach_log import AttachLog

NOBODY = 65534


def start(kind: str, path: str, *options: str, **environment: str) -> Process:
    """Run an application at a socket."""
    words = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "upload_response",
        kind,
        f"{kind}_app:app",
        "--socket",
        path,
    ]
    return Process([*words, "--app-dir", str(APPS), *options], **environment)


@pytest.mark.parametrize(("kind", "options"), [("wsgi", ("--threads", "3")), ("asgi", ())])
def test_a_wait_is_said_once_and_so_is_its_end(tmp_path: Path, kind: str, options: tuple[str, ...]) -> None:
    path = str(tmp_path / "ur.sock")
    process = start(kind, path, *options)
    try:
        for _ in range(2):  # when it comes, and when it comes back
            process.says("waiting for the server: ")
            server = Server(tmp_path)
            try:
                process.says(f"attached to {path}, process {server.pid}")
                logged = [
                    word for line in process.lines for word in ("waiting for", "attached to") if word in line
                ]
                # A server that is about to end may have taken it for a moment, too.
                assert logged == ["waiting for", "attached to"] * (len(logged) // 2), process.lines
                server.says("link attached", 3 if kind == "wsgi" else 1)
                process.lines.clear()
            finally:
                server.end()
    finally:
        process.end()


def test_a_thread_that_comes_late_says_no_wait_and_keeps_no_other_from_saying_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "upload_response")
    attach_log, options, server = AttachLog(), WorkerOptions(socket="/s"), Peer(7, "", 0)
    early, late = attach_log.attachments, attach_log.attachments  # two threads begin to attach
    attach_log.failed(ur.AttachError("nobody", 2), early)
    attach_log.attached(options, server)
    attach_log.failed(ur.AttachError("nobody", 2), late)  # the attempt came to nothing before that
    attach_log.lost()
    attach_log.failed(ur.AttachError("nobody", 2), attach_log.attachments)
    attach_log.attached(options, server)
    assert [record.getMessage().split()[0] for record in caplog.records] == [
        "waiting",
        "attached",
        "waiting",
        "attached",
    ]


def test_a_wait_is_logged_without_any_configuration(tmp_path: Path) -> None:
    path = str(tmp_path / "ur.sock")
    code = f"import upload_response as ur\nur.serve(lambda request, response: None, socket={path!r})"
    process = Process([sys.executable, "-c", code])
    process.says(f"waiting for the server: cannot connect to {path}")
    process.end()


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_path_where_there_is_something_else_is_one_line(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "file"
    file.touch()
    for path, message in (
        (str(tmp_path), f"cannot attach to {tmp_path}: it is not a socket"),
        (str(file), f"cannot attach to {file}: it is not a socket"),
        (str(file / "x"), f"cannot connect to {file / 'x'}"),
        ("x" * 200, "bad path of the socket"),
    ):
        process = start(kind, path)
        assert process.wait() == 1
        errors = [line for line in process.lines if "ERROR" in line]
        assert len(errors) == 1
        assert message in errors[0]
        assert "Traceback" not in "".join(process.lines)


@pytest.mark.parametrize("value", ["nobody", "-1", "1x", "4294967296"])
def test_the_variable_of_a_user_is_a_number(server: Server, value: str) -> None:
    process = command(
        server, "wsgi", "wsgi_app:app", "--app-dir", str(APPS), UPLOAD_RESPONSE_SERVER_UID=value
    )
    assert process.wait() == 1
    assert len(process.lines) == 1
    assert "UPLOAD_RESPONSE_SERVER_UID" in process.lines[0]


@pytest.mark.parametrize("uid", [-1, 2**32])
def test_server_uid_is_the_number_of_a_user(uid: int) -> None:
    with pytest.raises(ValueError, match="server_uid"):
        ur.Worker("/nowhere", server_uid=uid)


def test_the_options_are_where_the_library_has_them() -> None:
    fields = {name: getattr(Options, name).offset for name in ("refusal", "server_uid", "stacks", "reserved")}
    assert fields == {"refusal": 60, "server_uid": 316, "stacks": 320, "reserved": 328}


LISTENS = f"""
import os, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
os.setuid({NOBODY})
listener.listen()
print(flush=True)
input()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a server of another user")
def test_a_server_of_another_user_has_to_be_named(tmp_path: Path) -> None:
    path = str(tmp_path / "ur.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        number = listener.fileno()
        other = subprocess.Popen(
            [sys.executable, "-c", LISTENS, str(number)],
            pass_fds=[number],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert other.stdout is not None
        other.stdout.readline()
    try:
        with pytest.raises(ur.AttachError, match=f"of user {NOBODY}") as refused:
            ur.Worker(path, attach_timeout=0.1)
        assert (refused.value.errno, refused.value.may_pass) == (errno.EPERM, False)
        with pytest.raises(ur.AttachError) as unanswered:
            ur.Worker(path, attach_timeout=0.1, server_uid=NOBODY)
        assert unanswered.value.may_pass  # it was asked, and says nothing
        process = start("asgi", path)
        assert process.wait() == 1
        assert "server_uid" in process.lines[-1]
    finally:
        other.communicate(b"\n")


def test_the_path_is_found_where_the_c_library_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPLOAD_RESPONSE_SOCKET", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/mine")
    assert default_socket() == "/run/mine/upload-response.sock"
    with pytest.raises(ur.AttachError, match=r"cannot connect to /run/mine/upload-response.sock"):
        ur.Worker()
    monkeypatch.setenv("UPLOAD_RESPONSE_SOCKET", "/elsewhere/x.sock")
    assert default_socket() == "/elsewhere/x.sock"
    with pytest.raises(ur.AttachError, match=r"cannot connect to /elsewhere/x.sock"):
        ur.Worker("")
