"""The Python worker of the chaos test. What it serves is written in sdk/c/tests/chaos.c."""

from __future__ import annotations

import hashlib
import logging
import struct
from urllib.parse import parse_qsl

import upload_response as ur

MASK = (1 << 64) - 1
PIECE = 2048  # words


def pattern(seed: int, first: int, count: int) -> bytes:
    """Return words of the pattern, as in tests/chaos/pattern_test.go."""
    words = []
    for k in range(first, first + count):
        z = (seed + (k + 1) * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        words.append(z ^ z >> 31)
    return struct.pack(f"<{count}Q", *words)


def fields(query: dict[str, int], length: int | None) -> dict[str, str]:
    """Return the headers of a response whose length may be to be declared."""
    return {} if length is None or not query.get("declare") else {"content-length": str(length)}


async def echo(request: ur.AsyncRequest, response: ur.AsyncResponse, query: dict[str, int]) -> None:
    length = request.headers.get("content-length")
    response.start(200, fields(query, None if length is None else int(length)))
    await response.flush()
    async for chunk in request:
        await response.write(chunk)
        await response.flush()


async def digest(request: ur.AsyncRequest, response: ur.AsyncResponse, query: dict[str, int]) -> None:
    sha, size = hashlib.sha256(), 0
    async for chunk in request:
        sha.update(chunk)
        size += len(chunk)
    text = f"{sha.hexdigest()} {size}\n"
    response.start(200, fields(query, len(text)))
    await response.write(text)


async def send(response: ur.AsyncResponse, query: dict[str, int]) -> None:
    seed, size = query.get("seed", 0), query.get("size", 0)
    response.start(200, fields(query, size))
    for at in range(0, size, 8 * PIECE):
        await response.write(pattern(seed, at // 8, PIECE)[: size - at])


async def serve(request: ur.AsyncRequest, response: ur.AsyncResponse) -> None:
    task = request.path.rsplit("/", 1)[-1]
    query = {name: int(value) for name, value in parse_qsl(request.query)}
    if task == "echo":
        await echo(request, response, query)
    elif task == "digest":
        await digest(request, response, query)
    else:
        if task == "early":
            request.release()
        await send(response, query)


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s %(message)s")
    logging.getLogger("upload_response").setLevel(logging.ERROR)  # a lost link is no fault
    ur.serve(serve)
