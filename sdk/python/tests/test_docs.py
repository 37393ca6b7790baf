"""What the documentation shows works as it is written."""

from __future__ import annotations

import hashlib
import os
import re
import signal
from pathlib import Path

import pytest

import upload_response as ur
from conftest import Scripts, Server

ROOT = Path(__file__).parents[3]


def programs(name: str) -> list[str]:
    """Return the Python programs of a file."""
    text = (ROOT / name).read_text()
    blocks = [text] if name.endswith(".py") else re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return [block for block in blocks if "__main__" in block]


@pytest.mark.parametrize("name", ["README.md", "docs/python.md", "sdk/python/examples/digest.py"])
def test_the_digest_worker_digests(server: Server, scripts: Scripts, name: str) -> None:
    (program,) = programs(name)
    worker = scripts.attached(program, links=2)
    body = os.urandom(3 << 20)
    assert server.call("PUT", "/", body).result().body.decode() == hashlib.sha256(body).hexdigest() + "\n"
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_the_guide_draws_the_errors_as_the_package_does() -> None:
    drawing = re.search(r"^Error\n.*time$", ur.__doc__ or "", re.DOTALL | re.MULTILINE)
    assert drawing
    assert drawing[0] in (ROOT / "docs/python.md").read_text()


def test_what_the_guide_names_is_there() -> None:
    guide = (ROOT / "docs/python.md").read_text()
    tables = guide.split("## Requests")[1].split("## Errors")[0]
    requests, rest = tables.split("## Responses")
    responses, websockets = rest.split("## WebSockets")
    for section, kinds in (
        (requests, (ur.Request, ur.AsyncRequest)),
        (responses, (ur.Response, ur.AsyncResponse)),
        (websockets, (ur.WebSocket, ur.AsyncWebSocket)),
    ):
        rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
        for name in (n for row in rows for n in re.findall(r"`(\w+)", row) if n != "for"):
            for kind in kinds:
                assert hasattr(kind, name) or (name == "file" and kind is ur.AsyncRequest), (kind, name)


def test_the_reference_has_every_public_name() -> None:
    text = (ROOT / "sdk/python/docs/index.rst").read_text()
    listed = set(re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.MULTILINE))
    assert listed == set(ur.__all__) - {"__version__"}
