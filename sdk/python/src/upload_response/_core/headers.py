"""Header fields, and the flat text that the C SDK takes for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Union, cast

Text = Union[str, bytes]
HeadersLike = Union[Mapping[str, str], Mapping[bytes, bytes], Iterable[tuple[Text, Text]], None]


class Headers(Mapping[str, str]):
    """The headers of a request: a mapping with case-insensitive names.

    The values of a repeated name are joined, as HTTP allows; get_all() returns them one by one.
    Text is decoded as Latin-1, which maps every byte.
    """

    __slots__ = ("_all", "_flat")

    def __init__(self, flat: list[str]) -> None:
        self._flat = flat  # names and values in turn
        self._all: dict[str, list[str]] | None = None

    def _index(self) -> dict[str, list[str]]:
        if self._all is None:
            self._all = {}
            for name, value in self.pairs():
                self._all.setdefault(name, []).append(value)
        return self._all

    def __getitem__(self, name: str) -> str:
        values = self._index()[name.lower()]
        return values[0] if len(values) == 1 else ("; " if name.lower() == "cookie" else ", ").join(values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._index())

    def __len__(self) -> int:
        return len(self._index())

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs())!r})"

    def get_all(self, name: str) -> list[str]:
        """Return the values of a name in the order in which they came."""
        return list(self._index().get(name.lower(), ()))

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Return all names and values in the order in which they came."""
        return zip(self._flat[::2], self._flat[1::2])


def _text(part: object) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, (bytes, bytearray, memoryview)):
        return str(part, "latin-1")
    raise TypeError(f"a header is str or bytes, not {type(part).__name__}: {part!r}")


def flatten(headers: HeadersLike) -> bytes:
    """Return all names and values, each followed by a NUL.

    A NUL inside one would add a field, so it raises ValueError.
    """
    if not headers:
        return b""
    pairs = headers.items() if isinstance(headers, (dict, Mapping)) else headers
    parts = cast("list[str]", [part for name, value in pairs for part in (name, value)])
    if not parts:
        return b""
    try:
        text = "\0".join(parts) + "\0"
    except TypeError:
        text = "\0".join(map(_text, parts)) + "\0"
    if text.count("\0") != len(parts):
        raise ValueError("a header contains a NUL")
    return text.encode("latin-1")
