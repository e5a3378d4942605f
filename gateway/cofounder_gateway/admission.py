"""Keeps asking the server whether a watcher may still watch, under the watcher's own token (D-3)."""

import asyncio
import random
import time
from collections.abc import Callable

from google.rpc import status_pb2

from cofounder.gateway.v1 import relay_service_pb2 as relay_pb
from cofounder_gateway import upstream
from cofounder_gateway.backoff import Backoff
from cofounder_gateway.watcher import Watcher


class Admission:
    """One watcher's leave to watch. It lapses by itself: silence of the server never extends it."""

    def __init__(
        self,
        server: upstream.Upstream,
        build_id: str,
        admitted: relay_pb.AuthorizeWatchResponse,
        *,
        token: Callable[[], str],
        reauthorize: float,
    ) -> None:
        """Makes an admission.

        Args:
            admitted: the server's first word.
            token: returns the socket's token of now, which may have been renewed.
            reauthorize: ask again at least this often, in seconds, and before the server's own time is over.
        """
        self._server = server
        self._build_id = build_id
        self._token = token
        self._reauthorize = reauthorize
        self._lapse = self._lapse_of(admitted)

    async def keep(self, watcher: Watcher) -> status_pb2.Status:
        """Asks again and again, suspends the watcher where nobody answers, and returns when it is refused."""
        backoff = Backoff(0.1, 2.0)
        while True:
            # Spread, or a thousand who came together would ask together for ever; and never in a tight loop,
            # whatever the server's clock says.
            wait = (self._lapse - time.time()) * random.uniform(0.6, 0.8)
            await asyncio.sleep(max(wait, min(1.0, self._reauthorize / 2)))
            if (refusal := await self._ask(watcher, backoff)) is not None:
                return refusal

    async def _ask(self, watcher: Watcher, backoff: Backoff) -> status_pb2.Status | None:
        while True:
            # A question that outlives the admission must not carry it on.
            lapse = asyncio.get_running_loop().call_later(max(0.0, self._lapse - time.time()), watcher.suspend, True)
            try:
                answer = await self._server.authorize_watch(self._token(), self._build_id, watcher.cursor)
            except upstream.Refused as refused:
                if not (refused.unreached or refused.faulty):
                    return refused.status
                await asyncio.sleep(backoff.next())
            else:
                self._lapse = self._lapse_of(answer)
                backoff.reset()
                watcher.suspend(False)
                return None
            finally:
                lapse.cancel()

    def _lapse_of(self, admitted: relay_pb.AuthorizeWatchResponse) -> float:
        own = time.time() + self._reauthorize
        if not admitted.HasField("expire_time"):
            return own
        return min(own, admitted.expire_time.ToMicroseconds() / 1e6)
