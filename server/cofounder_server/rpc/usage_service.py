"""UsageService: what a user has used of what the plan allows, and the settings that only admins touch."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from cofounder.usage.v1 import usage_service_pb2 as pb
from cofounder_server import errors
from cofounder_server.clock import Clock
from cofounder_server.identity import caller, roles
from cofounder_server.identity.accounts import Accounts, NotAdmin
from cofounder_server.identity.caller import Identity, Kind
from cofounder_server.rpc import pages, usage_requests
from cofounder_server.rpc.authority import Authority
from cofounder_server.rpc.pages import Pages
from cofounder_server.rpc.requests import Check
from cofounder_server.usage import export
from cofounder_server.usage.limits import Account, day_of
from cofounder_server.usage.records import Records
from cofounder_server.usage.settings import Settings
from cofounder_server.usage.today import Use
from cofounder_server.usage.watch import UsageWatches


class UsageService:
    """Serves UsageService for `caller.current()`.

    Args:
        progress_seconds: A quiet watch says at least so often what it said before.
        reauthorize_seconds: A stream goes on no longer than this after its caller lost the right to it.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        watches: UsageWatches,
        records: Records,
        settings: Settings,
        wall: Clock,
        progress_seconds: float = 15.0,
        reauthorize_seconds: float = 60.0,
    ) -> None:
        self._accounts = accounts
        self._watches = watches
        self._records = records
        self._settings = settings
        self._wall = wall
        # At least twice between two checks: a watch looks at the time only when it has something to say.
        self._progress_seconds = min(progress_seconds, reauthorize_seconds / 2)
        self._confirm_seconds = reauthorize_seconds - self._progress_seconds

    async def GetUsage(self, request: pb.GetUsageRequest) -> pb.GetUsageResponse:
        user_id = await self._whose(request.user_id)
        return pb.GetUsageResponse(limits=map(_use, await self._watches.read(user_id)))

    async def WatchUsage(self, request: pb.WatchUsageRequest) -> AsyncIterator[pb.WatchUsageResponse]:
        user_id = await self._whose(request.user_id)
        authority = self._authority(user_id)
        follow = self._watches.follow(user_id, progress_seconds=self._progress_seconds)
        # Closed here and now: an iterator that is merely dropped would be looked for until collected.
        async with aclosing(follow):  # type: ignore[type-var]
            async for uses in follow:
                await authority.confirm()
                yield pb.WatchUsageResponse(limits=map(_use, uses))

    async def SummarizeUsage(self, request: pb.SummarizeUsageRequest) -> pb.SummarizeUsageResponse:
        check = Check()
        asked = usage_requests.user_id(check, request.user_id)
        span = usage_requests.span(check, request, day_of(self._wall.now()))
        dimension = usage_requests.dimension(check, request.dimension)
        check.settle()
        user_id = await self._reachable(asked)
        return pb.SummarizeUsageResponse(sums=await self._records.summarize(user_id, span, dimension))

    async def ListUsageRecords(self, request: pb.ListUsageRecordsRequest) -> pb.ListUsageRecordsResponse:
        check = Check()
        asked = usage_requests.user_id(check, request.user_id)
        size = check.size("page_size", request.page_size, default=50, most=500)
        build_id = check.uuid_or_none("build_id", request.build_id)
        tokens = Pages("usage", asked, build_id, caller.current().subject)
        before = usage_requests.place(check, tokens, request.page_token)
        check.settle()
        user_id = await self._reachable(asked)
        found = await self._records.list(user_id, before=before, build_id=build_id, limit=size + 1)
        page, last = pages.cut(found, size)
        token = tokens.token(last[0].to_bytes()) if last else ""
        return pb.ListUsageRecordsResponse(usage_records=[record for _, record in page], next_page_token=token)

    async def ExportUsage(self, request: pb.ExportUsageRequest) -> AsyncIterator[pb.ExportUsageResponse]:
        """Yields the file a page of the ledger at a time."""
        check = Check()
        asked = usage_requests.user_id(check, request.user_id)
        span = usage_requests.span(check, request, day_of(self._wall.now()))
        as_json = usage_requests.as_json(check, request.format)
        check.settle()
        user_id = await self._reachable(asked)
        authority = self._authority(user_id)
        if not as_json:
            yield pb.ExportUsageResponse(chunk=export.csv_header())
        written = export.json_lines if as_json else export.csv_lines
        async for records in self._records.export(user_id, span):
            await authority.confirm()
            yield pb.ExportUsageResponse(chunk=written(records))

    async def GetUserSettings(self, request: pb.GetUserSettingsRequest) -> pb.GetUserSettingsResponse:
        check = Check()
        user_id = check.text("user_id", request.user_id, most=usage_requests.USER_ID_CHARACTERS)
        check.settle()
        await self._demand_admin()
        return pb.GetUserSettingsResponse(settings=_settings(await self._settings.read(user_id)))

    async def UpdateUserSettings(self, request: pb.UpdateUserSettingsRequest) -> pb.UpdateUserSettingsResponse:
        check = Check()
        wanted = usage_requests.settings(check, request)
        reason = check.text("reason", request.reason, most=usage_requests.REASON_CHARACTERS)
        check.settle()
        admin = await self._demand_admin()
        present = await self._settings.set(wanted, admin_id=admin.user_id, reason=reason)
        return pb.UpdateUserSettingsResponse(settings=_settings(present))

    async def _whose(self, asked: str) -> str:
        check = Check()
        user_id = usage_requests.user_id(check, asked)
        check.settle()
        return await self._reachable(user_id)

    async def _reachable(self, user_id: str, *, identity: Identity | None = None) -> str:
        """Returns the user whose usage is asked for, the caller's or that of `identity` if none is named.

        Raises:
            RoleTooLow: No user asks.
            NotFound: A user asks about another one and is no admin just now: for them there is nobody else.
        """
        user = roles.demand_kind(identity or caller.current(), Kind.USER)
        if user_id and user_id != user.user_id and not await self._accounts.is_admin(user.user_id):
            raise errors.NotFound("user", user_id)
        return user_id or user.user_id

    def _authority(self, user_id: str) -> Authority:
        return Authority(lambda identity: self._reachable(user_id, identity=identity), self._confirm_seconds)

    async def _demand_admin(self) -> Identity:
        user = roles.demand_kind(caller.current(), Kind.USER)
        if not await self._accounts.is_admin(user.user_id):
            raise NotAdmin
        return user


def _use(use: Use) -> pb.LimitUse:
    shown = pb.LimitUse(limit=use.limit, used=use.used, reserved=use.reserved, allowed=use.allowed)
    if use.reset_time is not None:
        shown.reset_time.FromDatetime(use.reset_time)
    return shown


def _settings(account: Account) -> pb.UserSettings:
    return pb.UserSettings(
        user_id=account.user_id,
        plan_slug=account.plan_slug,
        override_models=account.override_models,
        override_tokens_per_day=account.override_tokens_per_day,
        suspended=account.suspended,
        admin=account.admin,
    )
