"""RelayService: what gateways ask, under their own service token or under that of the user they speak for."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import rsa

from cofounder.gateway.v1 import relay_service_pb2 as pb
from cofounder_server import clock, errors
from cofounder_server.builds.log import Log
from cofounder_server.builds.watch import Watches
from cofounder_server.identity import caller, machine_keys, roles, tokens
from cofounder_server.identity.caller import Kind
from cofounder_server.identity.roles import Role
from cofounder_server.rpc.access import Access
from cofounder_server.rpc.relay import Relay, as_message
from cofounder_server.rpc.requests import Check

READ_BYTES = 256 * 1024
MOST_READ_BYTES = 1024 * 1024
SESSION_SECONDS = 7 * 86400.0


class RelayService:
    """Serves RelayService for `caller.current()`.

    Args:
        reauthorize_seconds: How long a watcher may be served before it must be admitted again.
        development_key: Signs people in on a machine of their own; None in production.
    """

    def __init__(
        self,
        *,
        access: Access,
        log: Log,
        watches: Watches,
        wall: clock.Clock,
        reauthorize_seconds: float = 60.0,
        development_key: rsa.RSAPrivateKey | None = None,
    ) -> None:
        self._access = access
        self._log = log
        self._watches = watches
        self._clock = wall
        self._reauthorize_seconds = reauthorize_seconds
        self._development_key = development_key

    async def AuthorizeSession(self, _: pb.AuthorizeSessionRequest) -> pb.AuthorizeSessionResponse:
        identity = caller.current()
        if identity.kind is Kind.SERVICE:
            raise errors.RoleTooLow(role=Kind.SERVICE.value, needed=Kind.USER.value)
        response = pb.AuthorizeSessionResponse(user_id=identity.user_id)
        response.expire_time.FromDatetime(identity.expire_time)
        return response

    async def AuthorizeWatch(self, request: pb.AuthorizeWatchRequest) -> pb.AuthorizeWatchResponse:
        check = Check()
        build_id = check.uuid("build_id", request.build_id)
        after = check.sequence("after_sequence", request.after_sequence)
        check.settle()
        await self._access.to_build(build_id, Role.VIEWER)
        head = await self._watches.admit(build_id, after)
        response = pb.AuthorizeWatchResponse(last_sequence=head.head)
        until = self._clock.now() + timedelta(seconds=self._reauthorize_seconds)
        response.expire_time.FromDatetime(min(until, caller.current().expire_time))
        return response

    async def RelayBuilds(
        self, requests: AsyncIterator[pb.RelayBuildsRequest]
    ) -> AsyncIterator[pb.RelayBuildsResponse]:
        roles.demand_kind(caller.current(), Kind.SERVICE)
        relay = Relay(self._watches)
        # Whichever ends ends the relay: the gateway's requests, orderly or not, or its right to be here.
        tasks = [
            asyncio.create_task(_obey(requests, relay), name="relay requests"),
            asyncio.create_task(self._stay_authorized(), name="relay authority"),
        ]
        for task in tasks:
            task.add_done_callback(lambda _: relay.finish())
        try:
            while response := await relay.next():
                yield response
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await relay.close()

    async def _stay_authorized(self) -> NoReturn:
        while True:
            await asyncio.sleep(self._reauthorize_seconds)
            await caller.verify_again()

    async def ReadBuildLog(self, request: pb.ReadBuildLogRequest) -> pb.ReadBuildLogResponse:
        roles.demand_kind(caller.current(), Kind.SERVICE)
        check = Check()
        build_id = check.uuid("build_id", request.build_id)
        after = check.sequence("after_sequence", request.after_sequence)
        max_bytes = check.size("max_bytes", request.max_bytes, default=READ_BYTES, most=MOST_READ_BYTES)
        check.settle()
        head = await self._watches.admit(build_id, after)
        stretch = await self._log.read(build_id, after=after, max_bytes=max_bytes)
        return pb.ReadBuildLogResponse(stretch=as_message(stretch), head_sequence=max(head.head, stretch.last))

    async def IssueDevelopmentToken(self, request: pb.IssueDevelopmentTokenRequest) -> pb.IssueDevelopmentTokenResponse:
        if self._development_key is None:
            raise errors.NotServedYet("IssueDevelopmentToken")
        roles.demand_kind(caller.current(), Kind.SERVICE)
        user_id = request.user_id or machine_keys.ME
        issued = tokens.issue_development_token(
            self._development_key,
            user_id=user_id,
            plan_slug=machine_keys.ME_PLAN if user_id == machine_keys.ME else None,
            lifetime=SESSION_SECONDS,
            now=self._clock.now(),
        )
        response = pb.IssueDevelopmentTokenResponse(token=issued.token)
        response.expire_time.FromDatetime(issued.expire_time)
        return response


async def _obey(requests: AsyncIterator[pb.RelayBuildsRequest], relay: Relay) -> None:
    async for request in requests:
        for build_id in request.unfollow_build_ids:
            if found := _id(relay, "unfollow_build_ids", build_id):
                await relay.unfollow(found)
        ids = [_id(relay, "follow_build_ids", build_id) for build_id in request.follow_build_ids]
        # At once: each waits for Redis to confirm, and where Redis is away, until it gives up on that.
        await asyncio.gather(*(relay.follow(found) for found in ids if found))


def _id(relay: Relay, field: str, build_id: str) -> UUID | None:
    check = Check()
    found = check.uuid(field, build_id)
    try:
        check.settle()
    except errors.InvalidRequest as error:
        relay.refuse(build_id, error)
        return None
    return found
