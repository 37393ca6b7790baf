"""The driver of the conformance suite: a worker that does what each request's script says,
and prints what comes of it. tests/conformance/README.md says what a driver has to do.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import signal
import sys
import zlib
from collections import defaultdict
from collections.abc import Awaitable, Iterator

import upload_response as ur

PERIOD = 65521
PATTERN = bytes((i * 2654435761 & 0xFFFFFFFF) >> 24 for i in range(PERIOD)) * 3
TEXT_PATTERN = bytes(byte & 0x7F for byte in PATTERN).decode()
KINDS = {1: "headers", 2: "body", 3: "trailers", 4: "end", 7: "text", 8: "binary", 9: "close"}


def say(*words: object) -> None:
    """Print a line, whole and at once."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def say_end(link: int, counters: dict[str, int], end: str) -> None:
    """Print how a link has ended, and what it has counted."""
    counted = (f"{name}={counters[name]}" for name in ("requests", "ended", "aborted", "active"))
    say("- counters", link, *counted)
    say("-", end, link)


def lanes() -> int:
    """Return how many requests a link is to serve at once."""
    return int(os.environ.get("CONFORMANCE_LANES", "64"))


def links() -> range:
    """Return the links that there are to be."""
    return range(int(os.environ.get("CONFORMANCE_LINKS", "1")))


def unescape(text: str) -> bytes:
    """Return a word in which %xx is a byte."""
    return re.sub(rb"%([0-9a-fA-F]{2})", lambda m: bytes([int(m[1], 16)]), text.encode("latin-1"))


class Gates:
    """The gates of a link: whom they hold, until they are opened."""

    def __init__(self) -> None:
        self._open: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def let(self, gate: str) -> None:
        """Open a gate."""
        self._open[gate].set()

    async def hold(self, gate: str, request: ur.AsyncRequest) -> None:
        """Wait until a gate is open, or the request is cancelled."""
        waits: list[asyncio.Future[object]] = [
            asyncio.ensure_future(self._open[gate].wait()),
            asyncio.ensure_future(request.wait_cancelled()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
        if not self._open[gate].is_set():
            request.check_cancelled()


class Script:
    """One request and its steps."""

    def __init__(self, request: ur.AsyncRequest, gates: Gates) -> None:
        self.request, self.response, self.gates = request, request.response, gates
        self.websocket = request.websocket
        self.id = request.headers.get("x-id", "")
        self.fields: list[tuple[bytes, bytes]] = []
        self.next_slot = 2
        self.offset = 0  # in the pattern

    async def run(self, link: int) -> None:
        """Carry the steps out."""
        say(self.id, "begin", link)
        for step in self.request.headers.get("x-script", "").split(";"):
            verb, *words = step.split() or [""]
            if not verb:
                continue
            result = await self.attempt(verb.replace("-", "_"), words)
            say(self.id, verb, result)
            if result.startswith("cancelled"):
                break
        self.response.abort()
        say(self.id, "over")

    async def attempt(self, verb: str, words: list[str]) -> str:
        """Carry one step out, and return what came of it."""
        try:
            result = getattr(self, f"do_{verb}")(*words)
            if isinstance(result, Awaitable):
                result = await result
        except ur.Cancelled as error:
            return f"cancelled {int(error.reason)}"
        except ur.HeadersTooLarge:
            return "too-large"
        except ur.Released:
            return "released"
        except (ur.RequestEnded, ur.WebSocketClosed):
            return "ended"
        except ValueError:
            return "refused"
        except (ur.Error, AttributeError, TypeError) as error:
            return f"error {type(error).__name__} {error}"
        return result or "ok"

    def said_slot(self, slot: ur.Slot) -> None:
        """Print a slot."""
        total = f"{zlib.adler32(slot.data):08x}"
        say(self.id, "slot", slot.number, KINDS[slot.kind], len(slot.data), total, *["final"] * slot.final)
        if slot.kind == 3:
            for name, value in self.request.trailers.pairs():
                say(self.id, "trailer", name, value.encode("latin-1").hex())
        if slot.kind == 9:
            code = int.from_bytes(slot.data[:2], "big") or 1005
            say(self.id, "closed", code, slot.data[2:].hex())

    async def take_slots(self, most: str, *, release: bool) -> None:
        """Take slots, up to the end."""
        left = int(most) if most else sys.maxsize
        while left > 0:
            slot = await self.request.tail(self.next_slot)
            self.said_slot(slot)
            self.next_slot += 1
            left -= 1
            number, kind = slot.number, slot.kind
            del slot
            if release:
                self.request.release(number)
            if kind == 4:
                return

    async def do_read(self, most: str = "") -> None:
        await self.take_slots(most, release=True)

    async def do_keep(self, most: str = "") -> None:
        await self.take_slots(most, release=False)

    async def do_tail(self, number: str) -> None:
        self.said_slot(await self.request.tail(int(number)))

    def do_look(self, number: str) -> str:
        slot = self.request.look(int(number))
        if slot is None:
            return "nothing"
        self.said_slot(slot)
        return "ok"

    def do_release(self, number: str) -> None:
        self.request.release(int(number))

    def do_head(self) -> None:
        self.request.release(1)
        request = self.request
        for what, value in zip(
            ("method", "scheme", "authority", "path"),
            (request.method, request.scheme, request.authority, request.target),
        ):
            say(self.id, "head", what, value.encode("latin-1").hex())
        if request.client:
            host, port = request.client
            node = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            say(self.id, "head", "client", node.encode().hex())
        for name, field in request.raw_headers:
            say(self.id, "header", name.decode("latin-1"), field.hex())

    def do_field(self, name: str = "", value: str = "") -> None:
        self.fields.append((unescape(name), unescape(value)))

    def do_fields(self, count: str, name: str, value: str) -> None:
        self.fields += [(b"n" * int(name), b"v" * int(value))] * int(count)

    def gathered(self) -> list[tuple[bytes, bytes]]:
        """Return the gathered fields, and forget them."""
        fields, self.fields = self.fields, []
        return fields

    async def do_interim(self, status: str) -> None:
        await self.response.interim(int(status), self.gathered())

    def opened(self) -> ur.AsyncWebSocket:
        """Return the WebSocket of a request for one."""
        if self.websocket is None:
            raise ValueError
        return self.websocket

    async def do_accept(self) -> None:
        fields = [(name.decode(), value.decode()) for name, value in self.gathered()]
        protocol = dict(fields).get("sec-websocket-protocol")
        await self.opened().accept(protocol, [f for f in fields if f[0] != "sec-websocket-protocol"])

    async def do_message(self, kind: str, size: str, piece: str = "") -> None:
        await self.send_pieces(kind, size, piece, whole=True)

    async def do_part(self, kind: str, size: str, piece: str = "") -> None:
        await self.send_pieces(kind, size, piece, whole=False)

    async def send_pieces(self, kind: str, size: str, piece: str, *, whole: bool) -> None:
        """Send a message of the pattern, or a part of one, in pieces."""
        end = self.offset + int(size)
        for part in self.pieces(size, piece):
            at, final = self.offset % PERIOD, whole and self.offset + len(part) == end
            text = TEXT_PATTERN[at : at + len(part)]
            await self.opened().send(text if kind == "text" else part, final=final)

    async def do_talk(self) -> None:
        websocket, decode = self.opened(), codecs.getincrementaldecoder("utf-8")().decode
        while True:
            slot = await self.request.tail(self.next_slot)
            self.said_slot(slot)
            self.next_slot += 1
            number, final = slot.number, slot.final
            if slot.kind not in (7, 8):
                return
            await websocket.send(decode(slot.data, final) if slot.kind == 7 else slot.data, final=final)
            del slot
            self.request.release(number)

    async def do_close(self, code: str, reason: str = "") -> None:
        await self.opened().close(int(code), unescape(reason).decode())

    def do_respond(self, status: str) -> None:
        self.response.start(int(status), self.gathered())

    def pieces(self, size: str, piece: str) -> Iterator[memoryview]:
        """Return the next bytes of the pattern, in pieces, of which there is at least one.
        They count as written with the request for the next one.
        """
        left, most = int(size), int(piece or PERIOD)
        while True:
            at, n = self.offset % PERIOD, min(left, most, PERIOD)
            yield memoryview(PATTERN)[at : at + n]
            self.offset += n
            left -= n
            if left <= 0:
                return

    async def do_write(self, size: str, piece: str = "") -> None:
        for part in self.pieces(size, piece):
            await self.response.write(part)

    async def do_fill(self, size: str, piece: str = "") -> None:
        for part in self.pieces(size, piece):
            done = 0
            while done < len(part) or not part:
                room = await self.response.reserve(max(1, len(part) - done))
                n = min(len(room), len(part) - done)
                room[:n] = part[done : done + n]
                del room
                self.response.commit(n)
                done += n
                if not part:
                    break

    async def do_echo(self, piece: str = "") -> None:
        most = int(piece) if piece else sys.maxsize
        while True:
            slot = self.request.look(self.next_slot)
            if slot is None:
                await self.response.flush()
                slot = await self.request.tail(self.next_slot)
            self.said_slot(slot)
            self.next_slot += 1
            if slot.kind == 4:
                return
            data, number = slot.data, slot.number
            for at in range(0, len(data), min(most, len(data))) if slot.kind == 2 else ():
                await self.response.write(data[at : at + most])
            del data, slot
            self.request.release(number)

    async def do_flush(self) -> None:
        await self.response.flush()

    async def do_trailers(self) -> None:
        await self.response.trailers(self.gathered())
        await self.response.end()

    async def do_end(self) -> None:
        await self.response.end()

    def do_abort(self) -> None:
        if self.request.ended:
            raise ur.RequestEnded
        self.response.abort()

    async def do_await_cancel(self) -> None:
        await self.request.wait_cancelled()
        self.request.check_cancelled()

    async def do_hold(self, gate: str) -> None:
        await self.gates.hold(gate, self.request)

    def do_let(self, gate: str) -> None:
        self.gates.let(gate)

    def do_block(self) -> None:
        pass  # a call never waits but for its own task


class Driver:
    """The links, and the signal that drains them."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.links: dict[int, ur.AsyncWorker] = {}

    def stop(self) -> None:
        """Drain all links."""
        self.stopping.set()
        for link, worker in self.links.items():
            worker.drain()
            say("- draining", link)

    async def serve(self, link: int, worker: ur.AsyncWorker) -> None:
        """Serve a link until it is drained or dead."""
        gates, tasks, end = Gates(), set(), "drained"
        try:
            async for request in worker:
                task = asyncio.ensure_future(Script(request, gates).run(link))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                del request
        except ur.LinkClosed:
            end = "gone"
        if tasks:
            await asyncio.wait(tasks)
        say_end(link, worker.counters, end)

    async def keep(self, link: int) -> None:
        """Attach a link, again and again."""
        while not self.stopping.is_set():
            try:
                async with ur.AsyncWorker(lanes=lanes()) as worker:
                    self.links[link] = worker
                    say("- attached", link)
                    if self.stopping.is_set():
                        worker.drain()
                    await self.serve(link, worker)
            except ur.AttachError as error:
                if not error.may_pass:
                    say("- refused", error)
                    os._exit(3)
                await asyncio.sleep(0.01)
            finally:
                self.links.pop(link, None)

    async def run(self) -> None:
        """Keep all links until SIGTERM."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.stop)
        await asyncio.gather(*(self.keep(link) for link in links()))


async def main() -> None:
    """Run the driver."""
    await Driver().run()


if __name__ == "__main__":
    if os.environ.get("CONFORMANCE_LOOP") == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(main())
