import upload_response as ur
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"hello, world\n"]
async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            m = await receive()
            await send({"type": m["type"] + ".complete"})
            if m["type"] == "lifespan.shutdown": return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")]})
    await send({"type": "http.response.body", "body": b"hello, world\n"})
def slots(request, response):
    response.start(200, {"content-type": "text/plain", "content-length": "13"})
    response.write(b"hello, world\n")
async def aslots(request, response):
    response.start(200, {"content-type": "text/plain", "content-length": "13"})
    await response.write(b"hello, world\n")
if __name__ == "__main__":
    import sys
    if sys.argv[1] == "slots": ur.serve(slots, pool="slots")
    else: ur.serve(aslots, pool="loop")
