"""The handler of the benchmarks in Python, as bench/role/handler.go is in Go: for the SDK, for
its gateways, and for the servers that they are measured beside.

Adding up a byte of every cache line would measure the interpreter. An upload is copied
instead, where it has not been already, and its bytes are counted.
"""

import re

PIECE = b"hello, world\n"
PAYLOAD = bytes((i * 2654435761 & 0xFFFFFFFF) >> 13 & 0xFF for i in range(1 << 20))
READ = 64 << 10

TEXT = ("content-type", "text/plain")
BINARY = ("content-type", "application/octet-stream")


def size_of(query):
    return int(re.search(r"bytes=(\d+)", query).group(1))


def payload(size):
    """Yield a body of so many bytes."""
    while size > 0:
        piece = PAYLOAD if size >= len(PAYLOAD) else PAYLOAD[:size]
        size -= len(piece)
        yield piece


def last(path):
    return path.rsplit("/", 1)[-1]


# ---------------------------------------------------------------------- slots


def slots(request, response):
    SLOTS.get(last(request.path), slots_none)(request, response)


def slots_hello(request, response):
    response.start(200, {"content-type": "text/plain", "content-length": "13"})
    response.write(PIECE)


def slots_upload(request, response):
    scratch, count = bytearray(1 << 20), 0
    for chunk in request:
        scratch[: len(chunk)] = chunk
        count += len(chunk)
    response.start(200, (TEXT,))
    response.write(f"{count}\n")


def slots_download(request, response):
    size = size_of(request.query)
    response.start(200, (BINARY, ("content-length", str(size))))
    for piece in payload(size):
        response.write(piece)


def slots_echo(request, response):
    response.start(200, (BINARY, ("content-length", request.headers["content-length"])))
    for chunk in request:
        response.write(chunk)


def slots_first(request, response):
    response.start(200, (TEXT,))
    response.write(PIECE)
    response.flush()
    for _ in request:
        pass
    response.write(PIECE)


def slots_none(request, response):
    response.start(404, (TEXT,))


SLOTS = {
    "hello": slots_hello,
    "upload": slots_upload,
    "download": slots_download,
    "echo": slots_echo,
    "first": slots_first,
}


# ---------------------------------------------------- slots, in an event loop


async def loop(request, response):
    await LOOP.get(last(request.path), loop_none)(request, response)


async def loop_hello(request, response):
    response.start(200, {"content-type": "text/plain", "content-length": "13"})
    await response.write(PIECE)


async def loop_upload(request, response):
    scratch, count = bytearray(1 << 20), 0
    async for chunk in request:
        scratch[: len(chunk)] = chunk
        count += len(chunk)
    response.start(200, (TEXT,))
    await response.write(f"{count}\n")


async def loop_download(request, response):
    size = size_of(request.query)
    response.start(200, (BINARY, ("content-length", str(size))))
    for piece in payload(size):
        await response.write(piece)


async def loop_echo(request, response):
    response.start(200, (BINARY, ("content-length", request.headers["content-length"])))
    async for chunk in request:
        await response.write(chunk)


async def loop_first(request, response):
    response.start(200, (TEXT,))
    await response.write(PIECE)
    await response.flush()
    async for _ in request:
        pass
    await response.write(PIECE)


async def loop_none(request, response):
    response.start(404, (TEXT,))


LOOP = {
    "hello": loop_hello,
    "upload": loop_upload,
    "download": loop_download,
    "echo": loop_echo,
    "first": loop_first,
}


# ----------------------------------------------------------------------- WSGI


def wsgi(environ, start_response):
    return WSGI.get(last(environ["PATH_INFO"]), wsgi_none)(environ, start_response)


def wsgi_hello(environ, start_response):
    start_response("200 OK", [TEXT, ("content-length", "13")])
    return [PIECE]


def wsgi_body(environ):
    read = environ["wsgi.input"].read
    while chunk := read(READ):
        yield chunk


def wsgi_upload(environ, start_response):
    text = b"%d\n" % sum(map(len, wsgi_body(environ)))
    start_response("200 OK", [TEXT, ("content-length", str(len(text)))])
    return [text]


def wsgi_download(environ, start_response):
    size = size_of(environ["QUERY_STRING"])
    start_response("200 OK", [BINARY, ("content-length", str(size))])
    return payload(size)


def wsgi_echo(environ, start_response):
    start_response("200 OK", [BINARY, ("content-length", environ["CONTENT_LENGTH"])])
    return wsgi_body(environ)


def wsgi_first(environ, start_response):
    start_response("200 OK", [TEXT])
    yield PIECE
    for _ in wsgi_body(environ):
        pass
    yield PIECE


def wsgi_none(environ, start_response):
    start_response("404 Not Found", [TEXT, ("content-length", "0")])
    return []


WSGI = {
    "hello": wsgi_hello,
    "upload": wsgi_upload,
    "download": wsgi_download,
    "echo": wsgi_echo,
    "first": wsgi_first,
}


# ----------------------------------------------------------------------- ASGI


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        await ASGI.get(last(scope["path"]), asgi_none)(scope, receive, send)


async def lifespan(receive, send):
    while True:
        event = (await receive())["type"]
        await send({"type": event + ".complete"})
        if event == "lifespan.shutdown":
            return


async def asgi_start(send, *headers, status=200):
    pairs = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def asgi_send(send, body, more):
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def asgi_body(receive):
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ConnectionError
        more = event.get("more_body", False)
        yield event.get("body", b"")


async def asgi_hello(scope, receive, send):
    await send(HELLO)
    await send(HELLO_BODY)


HELLO = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")],
}
HELLO_BODY = {"type": "http.response.body", "body": PIECE}


async def asgi_upload(scope, receive, send):
    count = 0
    async for chunk in asgi_body(receive):
        count += len(chunk)
    text = b"%d\n" % count
    await asgi_start(send, TEXT, ("content-length", str(len(text))))
    await asgi_send(send, text, False)


async def asgi_download(scope, receive, send):
    size = size_of(scope["query_string"].decode())
    await asgi_start(send, BINARY, ("content-length", str(size)))
    for piece in payload(size):
        await asgi_send(send, piece, True)
    await asgi_send(send, b"", False)


async def asgi_echo(scope, receive, send):
    length = dict(scope["headers"])[b"content-length"].decode()
    await asgi_start(send, BINARY, ("content-length", length))
    async for chunk in asgi_body(receive):
        await asgi_send(send, chunk, True)
    await asgi_send(send, b"", False)


async def asgi_first(scope, receive, send):
    await asgi_start(send, TEXT)
    await asgi_send(send, PIECE, True)
    async for _ in asgi_body(receive):
        pass
    await asgi_send(send, PIECE, False)


async def asgi_none(scope, receive, send):
    await asgi_start(send, TEXT, ("content-length", "0"), status=404)
    await asgi_send(send, b"", False)


ASGI = {
    "hello": asgi_hello,
    "upload": asgi_upload,
    "download": asgi_download,
    "echo": asgi_echo,
    "first": asgi_first,
}


if __name__ == "__main__":
    import sys

    import upload_response

    upload_response.serve(loop if sys.argv[1:] == ["py-loop"] else slots)
