"""Serves ASGI 3 applications as workers.

    from upload_response import asgi
    asgi.serve(app, processes=2)

Or from the command line: python -m upload_response asgi module:app
"""

from .._serving.failures import Disconnected
from ._gateway import serve

__all__ = ["Disconnected", "serve"]
