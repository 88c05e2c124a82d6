"""An HTTP/1.1 server: `asyncio.Protocol` over httptools, made for many small requests.

    async def handler(request: HttpRequest) -> HttpResponse: ...

    server = HttpServer(handler, clock)
    await server.start()
    port = await server.listen("127.0.0.1", 0)        # and, or instead: await server.listen_unix(path)
    ...
    await server.stop()                                # finishes what it accepted

It keeps connections alive, answers pipelined requests in order, answers `Expect: 100-continue`, reads
chunked bodies, holds to limits (`HttpLimits`), and writes the head and the body of an answer in one segment.
A handler may take as long as it likes; when its client goes away it is cancelled, so work that must go on is
to be run in a task of its own.
"""

from fogbank.core.http.message import CutError, HttpRequest, HttpResponse
from fogbank.core.http.server import HttpHandler, HttpLimits, HttpServer

__all__ = ["CutError", "HttpHandler", "HttpLimits", "HttpRequest", "HttpResponse", "HttpServer"]
