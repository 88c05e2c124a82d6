"""Requests to hosts that are a service's own: function URLs, `https://<id>.lambda-url.<region>.…`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.core.errors import ApiError
from fogbank.core.http import HttpResponse
from fogbank.core.models import service_model
from fogbank.core.sites import NotSigned, Visit, Visitor
from fogbank.core.trace import Trace

if TYPE_CHECKING:
    from fogbank.core.http import HttpRequest
    from fogbank.core.ids import Ids
    from fogbank.core.sites import Sites
    from fogbank.gateway.authentication import Authenticator
    from fogbank.gateway.recognise import Recogniser

MARK = ".lambda-url."
"""What the names of such hosts have in them."""
_SIGNED_FOR = "lambda"


class Hosts:
    """Hands requests to the sites of the cloud. `verify`: signatures are checked, not only looked for."""

    def __init__(
        self, sites: Sites, recogniser: Recogniser, authenticator: Authenticator, ids: Ids, *, verify: bool
    ) -> None:
        self._sites = sites
        self._recogniser = recogniser
        self._authenticator = authenticator
        self._ids = ids
        self._verify = verify

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request to such a host."""
        trace = request.headers.get("x-amzn-trace-id")
        visit = Visit(
            request=request,
            host=request.headers.get("host", "").lower().partition(":")[0],
            request_id=self._ids.uuid(),
            trace=Trace.parse(trace),
            identify=lambda: self._identify(request),
        )
        found = await self._sites.visit(visit)
        if found is None:
            return HttpResponse(404, (("content-type", "application/json"),), b'{"Message":null}')
        return found

    async def _identify(self, request: HttpRequest) -> Visitor | NotSigned:
        scope = self._recogniser.scope(request)
        if scope is None:
            return NotSigned()
        if not self._verify:
            return Visitor(*self._authenticator.believe(scope))
        try:
            return Visitor(*await self._authenticator.verify(request, service_model(_SIGNED_FOR), unsigned=False))
        except ApiError as error:
            return NotSigned(error)
