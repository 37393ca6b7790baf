"""Settings of Sphinx for the reference of the Python SDK."""

from __future__ import annotations

from typing import Any

from upload_response import __version__

project = "upload-response for Python"
release = version = __version__

extensions = ["sphinx.ext.autodoc"]
default_role = "literal"
html_theme = "alabaster"
html_copy_source = html_show_copyright = html_show_sphinx = False

autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "inherited-members": "Exception,OSError,Mapping,int,tuple"}
autodoc_type_aliases = {"HeadersLike": "HeadersLike"}

# Every other name in a signature has to be in the reference.
nitpicky = True
nitpick_ignore = [("py:class", name) for name in ("Buffer", "HeadersLike", "WSGIApplication")]
nitpick_ignore_regex = [
    ("py:class", r".*\.Application"),  # what a decorator returns
    ("py:class", r"(asyncio|collections|enum|io|os|types|typing|typing_extensions)\..*"),
    (
        "py:(class|exc)",
        r"(bool|bytes|dict|float|int|list|memoryview|object|str|tuple|[A-Z]\w+Error|Exception)",
    ),
]


# Only these are made by users.
MADE_BY_USERS = {"Worker.__init__", "AsyncWorker.__init__"}
UNWANTED = {"__new__", "add_note", "with_traceback"}


def skip(_app: object, _kind: str, name: str, value: object, unwanted: bool, _options: object) -> bool:
    """Return whether to leave a member out."""
    made = name != "__init__" or getattr(value, "__qualname__", "") in MADE_BY_USERS
    return unwanted or name in UNWANTED or not made


def setup(app: Any) -> None:
    """Connect the functions of this file."""
    app.connect("autodoc-skip-member", skip)
