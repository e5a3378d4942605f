"""ProjectService: projects, their members, and the links that let others watch."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from cofounder.runner.v1 import project_service_pb2 as pb
from cofounder_server import errors
from cofounder_server.identity import caller, roles
from cofounder_server.identity.caller import Kind
from cofounder_server.identity.roles import Role
from cofounder_server.projects.members import Member, Members
from cofounder_server.projects.sharing import ShareLink, Sharing
from cofounder_server.projects.store import Project, Projects
from cofounder_server.rpc import pages
from cofounder_server.rpc.access import Access
from cofounder_server.rpc.pages import Pages
from cofounder_server.rpc.requests import Check

TITLE_CHARACTERS = 200
USER_ID_CHARACTERS = 255
PAGE = {"default": 50, "most": 500}


class ProjectService:
    """Serves ProjectService for `caller.current()`. DeleteProject is not served yet."""

    def __init__(self, *, access: Access, projects: Projects, members: Members, sharing: Sharing) -> None:
        self._access = access
        self._projects = projects
        self._members = members
        self._sharing = sharing

    async def CreateProject(self, request: pb.CreateProjectRequest) -> pb.CreateProjectResponse:
        check = Check()
        title = check.text("title", request.title, most=TITLE_CHARACTERS)
        request_id = check.uuid("request_id", request.request_id)
        check.settle()
        owner = roles.demand_kind(caller.current(), Kind.USER)
        project = await self._projects.create(owner.user_id, title=title, request_id=request_id)
        return pb.CreateProjectResponse(project=_project(project))

    async def GetProject(self, request: pb.GetProjectRequest) -> pb.GetProjectResponse:
        check = Check()
        project_id = check.uuid("project_id", request.project_id)
        check.settle()
        project = await self._projects.get(caller.current(), project_id)
        if project is None:
            raise errors.NotFound("project", str(project_id))
        return pb.GetProjectResponse(project=_project(project))

    async def ListProjects(self, request: pb.ListProjectsRequest) -> pb.ListProjectsResponse:
        check = Check()
        size = check.size("page_size", request.page_size, **PAGE)
        tokens = Pages("projects", caller.current().subject)
        before = tokens.id(check, request.page_token)
        check.settle()
        found = await self._projects.list(caller.current(), before=before, limit=size + 1)
        projects, last = pages.cut(found, size)
        token = tokens.token(last.project_id.bytes) if last else ""
        return pb.ListProjectsResponse(projects=map(_project, projects), next_page_token=token)

    async def ListMembers(self, request: pb.ListMembersRequest) -> pb.ListMembersResponse:
        check = Check()
        project_id = check.uuid("project_id", request.project_id)
        size = check.size("page_size", request.page_size, **PAGE)
        tokens = Pages("members", project_id, caller.current().subject)
        after = tokens.key(check, request.page_token) or b""
        check.settle()
        await self._access.to_project(project_id, Role.VIEWER)
        # Who works in a project is no business of whoever was sent a link to watch.
        roles.demand_kind(caller.current(), Kind.USER)
        found = await self._members.list(project_id, after=after.decode(), limit=size + 1)
        members, last = pages.cut(found, size)
        token = tokens.token(last.user_id.encode()) if last else ""
        return pb.ListMembersResponse(members=map(_member, members), next_page_token=token)

    async def SetMember(self, request: pb.SetMemberRequest) -> pb.SetMemberResponse:
        check = Check()
        project_id = check.uuid("project_id", request.project_id)
        user_id = check.text("user_id", request.user_id, most=USER_ID_CHARACTERS)
        if request.role not in (pb.ROLE_VIEWER, pb.ROLE_EDITOR):
            check.fault("role", "must be ROLE_VIEWER or ROLE_EDITOR: a project has one owner")
        check.settle()
        await self._access.to_project(project_id, Role.OWNER)
        member = await self._members.set(project_id, user_id, Role(request.role))
        return pb.SetMemberResponse(member=_member(member))

    async def RemoveMember(self, request: pb.RemoveMemberRequest) -> pb.RemoveMemberResponse:
        check = Check()
        project_id = check.uuid("project_id", request.project_id)
        user_id = check.text("user_id", request.user_id, most=USER_ID_CHARACTERS)
        check.settle()
        await self._access.to_project(project_id, Role.OWNER)
        await self._members.remove(project_id, user_id)
        return pb.RemoveMemberResponse()

    async def CreateShareLink(self, request: pb.CreateShareLinkRequest) -> pb.CreateShareLinkResponse:
        check = Check()
        project_id = check.uuid("project_id", request.project_id)
        expire_time = _time(check, request.expire_time) if request.HasField("expire_time") else None
        check.settle()
        await self._access.to_project(project_id, Role.EDITOR)
        link, token = await self._sharing.create(
            project_id, creator_id=caller.current().user_id, expire_time=expire_time
        )
        return pb.CreateShareLinkResponse(link=_link(link), token=token)

    async def ListShareLinks(self, request: pb.ListShareLinksRequest) -> pb.ListShareLinksResponse:
        check = Check()
        project_id = check.uuid("project_id", request.project_id)
        size = check.size("page_size", request.page_size, **PAGE)
        tokens = Pages("share links", project_id, caller.current().subject)
        before = tokens.id(check, request.page_token)
        check.settle()
        await self._access.to_project(project_id, Role.EDITOR)
        found = await self._sharing.list(project_id, before=before, limit=size + 1)
        links, last = pages.cut(found, size)
        token = tokens.token(last.link_id.bytes) if last else ""
        return pb.ListShareLinksResponse(links=map(_link, links), next_page_token=token)

    async def RevokeShareLink(self, request: pb.RevokeShareLinkRequest) -> pb.RevokeShareLinkResponse:
        check = Check()
        project_id = check.uuid("project_id", request.project_id)
        link_id = check.uuid("link_id", request.link_id)
        check.settle()
        await self._access.to_project(project_id, Role.EDITOR)
        await self._sharing.revoke(project_id, link_id)
        return pb.RevokeShareLinkResponse()


def _time(check: Check, value: Timestamp) -> datetime | None:
    try:
        return value.ToDatetime(UTC)
    except (ValueError, OverflowError):
        check.fault("expire_time", "must be a time between the years 1 and 9999")
        return None


def _role(role: Role) -> str:
    return f"ROLE_{role.name}"


def _project(project: Project) -> pb.Project:
    return pb.Project(
        project_id=str(project.project_id),
        title=project.title,
        owner_id=project.owner_id,
        role=_role(project.role),
        create_time=_timestamp(project.create_time),
    )


def _member(member: Member) -> pb.Member:
    return pb.Member(user_id=member.user_id, role=_role(member.role), create_time=_timestamp(member.create_time))


def _link(link: ShareLink) -> pb.ShareLink:
    return pb.ShareLink(link_id=str(link.link_id), expire_time=_timestamp(link.expire_time), creator_id=link.creator_id)


def _timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
