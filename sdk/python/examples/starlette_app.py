"""A Starlette application. It needs starlette from PyPI.

python -m upload_response asgi starlette_app:app

curl -T big.file http://127.0.0.1:8080/digest      # while the upload runs
curl http://127.0.0.1:8080/count/100000            # as it is made
curl http://127.0.0.1:8080/source                  # a file
python -m websockets ws://127.0.0.1:8080/talk/me   # pip install websockets
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket


async def index(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.state.greeting)


async def digest(request: Request) -> PlainTextResponse:
    h, size = hashlib.sha256(), 0
    async for chunk in request.stream():
        h.update(chunk)
        size += len(chunk)
    return PlainTextResponse(f"{h.hexdigest()} {size}\n")


async def count(request: Request) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        for i in range(request.path_params["number"]):
            yield f"{i}\n"

    return StreamingResponse(lines(), media_type="text/plain")


async def source(request: Request) -> FileResponse:
    return FileResponse(__file__)


async def talk(websocket: WebSocket) -> None:
    name = websocket.path_params["name"]
    if name == "nobody":
        await websocket.send_denial_response(PlainTextResponse("who are you?", 403))
        return
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_json({"name": name, "said": text})


async def teapot(request: Request) -> None:
    raise HTTPException(418)


async def error(request: Request) -> None:
    raise LookupError("in Starlette")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
    yield {"greeting": "hello from Starlette\n"}


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/", index),
        Route("/digest", digest, methods=["PUT", "POST"]),
        Route("/count/{number:int}", count),
        Route("/source", source),
        WebSocketRoute("/talk/{name}", talk),
        Route("/teapot", teapot),
        Route("/error", error),
    ],
)
