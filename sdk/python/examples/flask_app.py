"""A Flask application. It needs flask from PyPI.

python -m upload_response wsgi flask_app:app --threads 8

curl -T big.file http://127.0.0.1:8080/digest      # while the upload runs
curl http://127.0.0.1:8080/count/100000            # as it is made
curl -d hello=world http://127.0.0.1:8080/form
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from flask import Flask, Response, abort, request

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return "hello from Flask\n"


@app.route("/digest", methods=["PUT", "POST"])
def digest() -> str:
    h, size = hashlib.sha256(), 0
    while chunk := request.stream.read(64 << 10):
        h.update(chunk)
        size += len(chunk)
    return f"{h.hexdigest()} {size}\n"


@app.get("/count/<int:number>")
def count(number: int) -> Response:
    def lines() -> Iterator[str]:
        for i in range(number):
            yield f"{i}\n"

    return Response(lines(), mimetype="text/plain")


@app.post("/form")
def form() -> dict[str, str]:
    return request.form.to_dict()


@app.get("/teapot")
def teapot() -> None:
    abort(418)


@app.get("/error")
def error() -> None:
    raise LookupError("in Flask")
