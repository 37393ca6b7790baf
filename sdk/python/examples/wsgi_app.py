"""A WSGI application without a framework: it answers with the length of the upload.

python -m upload_response wsgi wsgi_app:app --threads 2

curl -T big.file http://127.0.0.1:8080/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    size = 0
    while chunk := environ["wsgi.input"].read(64 << 10):
        size += len(chunk)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}: {size} bytes\n".encode()]
