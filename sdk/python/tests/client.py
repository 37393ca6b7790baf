"""HTTP clients: one that does it all, and one step by step; and one of WebSockets."""

from __future__ import annotations

import http.client
import socket
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded
from websockets.sync.client import connect

if TYPE_CHECKING:
    from websockets.sync.connection import Connection

PATIENCE = 60.0


class Reply(NamedTuple):
    """A response as the client sees it."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    complete: bool


def exchange(port: int, method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
    """Send a request and read its response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        try:
            response = connection.getresponse()
        except http.client.RemoteDisconnected:
            return Reply(0, http.client.HTTPMessage(), b"", False)
        try:
            return Reply(response.status, response.headers, response.read(), True)
        except (http.client.IncompleteRead, ConnectionError) as error:
            return Reply(response.status, response.headers, getattr(error, "partial", b""), False)
    finally:
        connection.close()


class Upload:
    """A chunked upload, step by step."""

    def __init__(self, port: int, path: str = "/", method: str = "POST") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._socket.sendall(head.encode())
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send a piece of the body."""
        self._socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def finish(self, trailers: str = "") -> None:
        """Send the end."""
        self._socket.sendall(b"0\r\n" + trailers.encode() + b"\r\n")

    def read_head(self) -> str:
        """Read status line and headers."""
        lines = []
        while True:
            line = self._file.readline().decode()
            lines.append(line)
            if line in ("", "\r\n"):
                return "".join(lines)

    def read_chunk(self) -> bytes:
        """Read a chunk of the response; the last one is empty."""
        size = int(self._file.readline(), 16)
        data = self._file.read(size)
        if size:
            self._file.readline()
        return data

    def read_rest(self) -> bytes:
        """Read until the connection ends."""
        try:
            return self._file.read()
        except ConnectionError:
            return b""

    def reset(self) -> None:
        """Go without a goodbye."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def http2(port: int, *requests: list[tuple[str, str]]) -> list[tuple[dict[str, str], bytes]]:
    """Send requests over one connection, all at once, and return headers and body of each."""
    connection = H2Connection()
    connection.initiate_connection()
    streams = range(1, 2 * len(requests), 2)
    for stream, fields in zip(streams, requests):
        connection.send_headers(stream, fields, end_stream=True)
    headers: dict[int, dict[str, str]] = {}
    bodies = dict.fromkeys(streams, b"")
    running = set(streams)
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        while running:
            client.sendall(connection.data_to_send())
            for event in connection.receive_data(client.recv(1 << 16)):
                if isinstance(event, ResponseReceived):
                    headers[event.stream_id] = {
                        name.decode(): value.decode() for name, value in event.headers
                    }
                elif isinstance(event, DataReceived):
                    bodies[event.stream_id] += event.data
                elif isinstance(event, StreamEnded):
                    running.discard(event.stream_id)
    return [(headers[stream], bodies[stream]) for stream in streams]


def http2_message(port: int, path: str) -> str:
    """Open a WebSocket over HTTP/2, and return its first message, which is text in one frame."""
    fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", path)]
    connection, frame = H2Connection(), b""
    connection.initiate_connection()
    connection.send_headers(
        1, [*fields, (":authority", f"127.0.0.1:{port}"), ("sec-websocket-version", "13")]
    )
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        while True:
            client.sendall(connection.data_to_send())
            for event in connection.receive_data(client.recv(1 << 16)):
                frame += event.data if isinstance(event, DataReceived) else b""
            if len(frame) > 4:
                assert frame[0] == 0x81
                long = frame[1] == 126
                length = int.from_bytes(frame[2:4], "big") if long else frame[1]
                text = frame[4 if long else 2 :]
                if len(text) >= length:
                    return text[:length].decode()


def dial(port: int, path: str = "/", **options: Any) -> Connection:
    """Open a WebSocket; what the server compresses or pings is none of the tests' affair."""
    quiet: dict[str, Any] = {"compression": None, "max_size": None, "ping_interval": None, "proxy": None}
    return connect(f"ws://127.0.0.1:{port}{path}", **{**quiet, **options})


def vanish(connection: Connection) -> None:
    """Go without a close."""
    connection.socket.shutdown(socket.SHUT_RDWR)
