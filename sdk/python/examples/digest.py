"""Answers with the SHA-256 of the upload, computed where the body lies in shared memory.

upload-response serve --worker default='python sdk/python/examples/digest.py'
curl -T big.file http://127.0.0.1:8080/
"""

import hashlib

import upload_response as ur


def digest(request, response):
    h = hashlib.sha256()
    for chunk in request:  # read-only memoryviews of shared memory
        h.update(chunk)
    response.start(200, {"content-type": "text/plain"})
    response.write(h.hexdigest() + "\n")


if __name__ == "__main__":
    ur.serve(digest, processes=2)
