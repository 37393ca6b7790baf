"""Serves WSGI applications (PEP 3333) as workers.

    from upload_response import wsgi
    wsgi.serve(app, processes=2, threads=8)

Or from the command line: python -m upload_response wsgi module:app
"""

from .._serving.failures import Disconnected
from ._gateway import serve

__all__ = ["Disconnected", "serve"]
