"""A Django project in one file. It needs django from PyPI.

python -m upload_response wsgi django_app:app --threads 8
python -m upload_response asgi django_app:async_app

curl -T big.file http://127.0.0.1:8080/digest      # while the upload runs
curl http://127.0.0.1:8080/count/100000            # as it is made
curl -d hello=world http://127.0.0.1:8080/form
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
    ALLOWED_HOSTS=["*"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
)


def index(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello from Django\n", content_type="text/plain")


def digest(request: HttpRequest) -> HttpResponse:
    h, size = hashlib.sha256(), 0
    while chunk := request.read(64 << 10):
        h.update(chunk)
        size += len(chunk)
    return HttpResponse(f"{h.hexdigest()} {size}\n", content_type="text/plain")


def count(request: HttpRequest, number: int) -> StreamingHttpResponse:
    def lines() -> Iterator[str]:
        for i in range(number):
            yield f"{i}\n"

    async def async_lines() -> AsyncIterator[str]:
        for line in lines():
            yield line

    content: Iterator[str] | AsyncIterator[str] = lines()
    if isinstance(request, ASGIRequest):
        content = async_lines()
    return StreamingHttpResponse(content, content_type="text/plain")


def form(request: HttpRequest) -> JsonResponse:
    return JsonResponse(request.POST.dict())


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404


def error(request: HttpRequest) -> HttpResponse:
    raise LookupError("in Django")


urlpatterns = [
    path("", index),
    path("digest", digest),
    path("count/<int:number>", count),
    path("form", form),
    path("missing", missing),
    path("error", error),
]

app = get_wsgi_application()
async_app = get_asgi_application()
