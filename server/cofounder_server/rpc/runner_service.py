"""RunnerService: builds are started, watched, listed and cancelled. What is not here answers NOT_SERVED_YET."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from uuid import UUID

from cofounder.runner.v1 import runner_service_pb2 as pb
from cofounder.runner.v1.build_view_pb2 import BuildView
from cofounder_server import errors
from cofounder_server.builds import framing
from cofounder_server.builds.log import Log
from cofounder_server.builds.read import Builds
from cofounder_server.builds.start import Order, Starter
from cofounder_server.builds.transitions import Transitions
from cofounder_server.builds.views import Views
from cofounder_server.builds.watch import Watches
from cofounder_server.identity import caller, roles
from cofounder_server.identity.accounts import Accounts
from cofounder_server.identity.caller import Kind
from cofounder_server.identity.roles import Role
from cofounder_server.projects.store import Projects
from cofounder_server.rpc import pages
from cofounder_server.rpc.access import Access
from cofounder_server.rpc.authority import Authority
from cofounder_server.rpc.pages import Pages
from cofounder_server.rpc.requests import GOAL_CHARACTERS, SCENARIOS, Check

# Tags of WatchBuildResponse.through_sequence and view, and of ListBuildEventsResponse.next_page_token.
THROUGH_SEQUENCE = b"\x10"
VIEW = b"\x1a"
NEXT_PAGE_TOKEN = b"\x12"
# What a page holds at most, however many events or builds that are; one always fits.
PAGE_BYTES = 1024 * 1024


class RunnerService:
    """Serves RunnerService for `caller.current()`.

    Args:
        progress_seconds: A quiet watch says at least so often where it is.
        reauthorize_seconds: A watch goes on no longer than this after its caller lost the right to it.
    """

    def __init__(
        self,
        *,
        access: Access,
        projects: Projects,
        accounts: Accounts,
        builds: Builds,
        starter: Starter,
        transitions: Transitions,
        log: Log,
        watches: Watches,
        views: Views,
        progress_seconds: float = 15.0,
        reauthorize_seconds: float = 60.0,
    ) -> None:
        self._access = access
        self._projects = projects
        self._accounts = accounts
        self._builds = builds
        self._starter = starter
        self._transitions = transitions
        self._log = log
        self._watches = watches
        self._views = views
        self._reauthorize_seconds = reauthorize_seconds
        # At least twice between two checks: a watch looks at the time only when it has something to say.
        self._progress_seconds = min(progress_seconds, reauthorize_seconds / 2)

    async def StartBuild(self, request: pb.StartBuildRequest) -> pb.StartBuildResponse:
        check = Check()
        project_id = check.uuid_or_none("project_id", request.project_id)
        goal = check.text("goal", request.goal, most=GOAL_CHARACTERS)
        request_id = check.uuid("request_id", request.request_id)
        scenario = check.one_of("scenario", request.scenario, SCENARIOS)
        budget = check.microdollars("budget_microdollars", request.budget_microdollars)
        if request.base_build_id:
            check.fault("base_build_id", "going on in a former build is not served yet: leave it empty")
        check.settle()
        project_id = await self._project_to_build_in(project_id)
        payer_id = await self._owner_of(project_id)
        build_id, created = await self._starter.start(
            Order(
                creator_id=caller.current().user_id,
                project_id=project_id,
                payer_id=payer_id,
                plan_slug=await self._accounts.plan_of(payer_id),
                goal=goal,
                request_id=request_id,
                scenario=scenario,
                budget_microdollars=budget,
            )
        )
        build, _ = await self._builds.get(build_id)
        return pb.StartBuildResponse(build=build, created=created)

    async def _project_to_build_in(self, project_id: UUID | None) -> UUID:
        if project_id is None:
            user = roles.demand_kind(caller.current(), Kind.USER)
            return (await self._projects.first(user.user_id)).project_id
        await self._access.to_project(project_id, Role.EDITOR)
        return project_id

    async def _owner_of(self, project_id: UUID) -> str:
        owner = await self._projects.owner_of(project_id)
        if owner is None:
            raise errors.NotFound("project", str(project_id))
        return owner

    async def GetBuild(self, request: pb.GetBuildRequest) -> pb.GetBuildResponse:
        build_id = await self._reachable(request.build_id, Role.VIEWER)
        build, snapshot = await self._builds.get(build_id)
        return pb.GetBuildResponse(build=build, snapshot=snapshot, view=await self._views.of(build_id))

    async def ListBuilds(self, request: pb.ListBuildsRequest) -> pb.ListBuildsResponse:
        check = Check()
        project_id = check.uuid_or_none("project_id", request.project_id)
        size = check.size("page_size", request.page_size, default=50, most=500)
        tokens = Pages("builds", project_id, caller.current().subject)
        before = tokens.id(check, request.page_token)
        check.settle()
        if project_id:
            await self._access.to_project(project_id, Role.VIEWER)
        projects: Sequence[UUID] = [project_id] if project_id else await self._projects.ids(caller.current())
        found = await self._builds.list(projects, before=before, limit=size + 1)
        builds, last = pages.cut(found, min(size, pages.fitting(found, PAGE_BYTES)))
        token = tokens.token(UUID(last.build_id).bytes) if last else ""
        return pb.ListBuildsResponse(builds=builds, next_page_token=token)

    async def CancelBuild(self, request: pb.CancelBuildRequest) -> pb.CancelBuildResponse:
        build_id = await self._reachable(request.build_id, Role.EDITOR)
        sequence = await self._transitions.cancel(build_id, user_id=caller.current().user_id)
        build, _ = await self._builds.get(build_id)
        return pb.CancelBuildResponse(build=build, sequence=sequence)

    async def _reachable(self, build_id: str, needed: Role) -> UUID:
        """Returns the id of a build in which the caller has at least the role `needed`."""
        check = Check()
        found = check.uuid("build_id", build_id)
        check.settle()
        await self._access.to_build(found, needed)
        return found

    async def WatchBuild(self, request: pb.WatchBuildRequest) -> AsyncIterator[bytes]:
        """Yields encoded responses: the events' bytes as they are stored, the cursor behind them, and a new view."""
        check = Check()
        build_id = check.uuid("build_id", request.build_id)
        after = check.sequence("after_sequence", request.after_sequence)
        check.settle()
        await self._access.to_build(build_id, Role.VIEWER)
        await self._watches.admit(build_id, after)
        authority = Authority(
            lambda identity: self._access.to_build(build_id, Role.VIEWER, identity=identity),
            self._reauthorize_seconds - self._progress_seconds,
        )
        stretches = self._watches.follow(build_id, after=after, progress_seconds=self._progress_seconds)
        # Closed here and now: an iterator that is merely dropped would hold its subscription until collected.
        async with aclosing(stretches):  # type: ignore[type-var]
            async for stretch in stretches:
                await authority.confirm()
                yield stretch.body + THROUGH_SEQUENCE + framing.varint(stretch.last) + _encoded(stretch.view)

    async def ListBuildEvents(self, request: pb.ListBuildEventsRequest) -> bytes:
        """Returns an encoded response, of the events' bytes as they are stored."""
        check = Check()
        build_id = check.uuid("build_id", request.build_id)
        size = check.size("page_size", request.page_size, default=100, most=1000)
        after = check.sequence("after_sequence", request.after_sequence)
        tokens = Pages("events", request.build_id, caller.current().subject)
        begun = tokens.number(check, request.page_token)
        if begun is not None and after:
            check.fault("after_sequence", "must be 0 with a page_token, which says where to go on")
        check.settle()
        await self._access.to_build(build_id, Role.VIEWER)
        cursor = after if begun is None else begun
        head = await self._watches.admit(build_id, cursor)
        page, last = await self._page_of_events(build_id, cursor, size)
        if last >= head.head:
            return page
        token = tokens.token(last.to_bytes(8)).encode()
        return page + NEXT_PAGE_TOKEN + framing.varint(len(token)) + token

    async def _page_of_events(self, build_id: UUID, cursor: int, count: int) -> tuple[bytes, int]:
        """Returns up to `count` encoded events after `cursor`, and the last one's sequence."""
        end, page = cursor + count, b""
        while cursor < end and len(page) < PAGE_BYTES:
            stretch = await self._log.read(build_id, after=cursor)
            if not stretch.body:
                break
            body = stretch.body
            if stretch.last > end:
                body = body[: len(body) - len(framing.skip(body, end - cursor))]
            page, cursor = page + body, min(stretch.last, end)
        return page, cursor


def _encoded(view: BuildView | None) -> bytes:
    """Returns a view as it stands in a WatchBuildResponse."""
    if view is None:
        return b""
    body = view.SerializeToString()
    return VIEW + framing.varint(len(body)) + body
