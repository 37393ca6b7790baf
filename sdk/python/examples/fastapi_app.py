"""A FastAPI application. It needs fastapi from PyPI.

python -m upload_response asgi fastapi_app:app

curl -T big.file http://127.0.0.1:8080/digest      # while the upload runs
curl http://127.0.0.1:8080/count/100000            # as it is made
curl -H 'Content-Type: application/json' -d '{"name": "x"}' http://127.0.0.1:8080/item
python -m websockets ws://127.0.0.1:8080/talk/me   # pip install websockets
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, WebSocket, WebSocketException
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel

app = FastAPI()
done: list[str] = []


class Item(BaseModel):
    """The body of a request to /item."""

    name: str
    price: float = 0.0


@app.get("/", response_class=PlainTextResponse)
async def index() -> str:
    return "hello from FastAPI\n"


@app.put("/digest", response_class=PlainTextResponse)
@app.post("/digest", response_class=PlainTextResponse)
async def digest(request: Request) -> str:
    h, size = hashlib.sha256(), 0
    async for chunk in request.stream():
        h.update(chunk)
        size += len(chunk)
    return f"{h.hexdigest()} {size}\n"


@app.get("/count/{number}")
async def count(number: int) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        for i in range(number):
            yield f"{i}\n"

    return StreamingResponse(lines(), media_type="text/plain")


@app.post("/item")
def item(item: Item, tasks: BackgroundTasks) -> Item:
    """Add an item. FastAPI runs this function in a thread, and the task after the response."""
    tasks.add_task(done.append, item.name)
    return item


@app.get("/done")
async def after() -> list[str]:
    return done


@app.websocket("/talk/{name}")
async def talk(websocket: WebSocket, name: str) -> None:
    if name == "nobody":
        raise WebSocketException(1008, "who are you?")  # before the accept: 403
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_json({"name": name, "said": text})


@app.get("/teapot")
async def teapot() -> None:
    raise HTTPException(418)


@app.get("/error")
async def error() -> None:
    raise LookupError("in FastAPI")
