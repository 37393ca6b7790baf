"""What frameworks make of where they are mounted."""

from __future__ import annotations

import json
from typing import Any


def environ_app(environ: Any, start_response: Any) -> list[bytes]:
    """Say what of the environ is of a path."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: environ[name] for name in ("SCRIPT_NAME", "PATH_INFO")}).encode()]


async def scope_app(scope: Any, receive: Any, send: Any) -> None:
    """Say what of the scope is of a path."""
    assert scope["type"] == "http"
    seen = {name: scope[name] for name in ("path", "root_path")} | {"raw_path": scope["raw_path"].decode()}
    body = json.dumps(seen).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def flask_app() -> Any:
    """Return an application of Flask."""
    import flask

    app = flask.Flask(__name__)

    @app.get("/", defaults={"rest": ""})
    @app.get("/<path:rest>")
    def show(rest: str) -> Any:
        page = flask.url_for("show", rest=rest)
        return flask.jsonify(url=flask.request.url, path=flask.request.path, page=page)

    return app


def starlette_app() -> Any:
    """Return an application of Starlette."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def show(request: Any) -> JSONResponse:
        page = request.url_for("show", rest=request.path_params["rest"])
        path = "/" + request.path_params["rest"]
        return JSONResponse({"url": str(request.url), "path": path, "page": str(page)})

    return Starlette(routes=[Route("/{rest:path}", show, name="show")])
