"""Everything that the server serves, put together from what it can do."""

from dataclasses import dataclass
from types import ModuleType
from typing import cast

import asyncpg
from cryptography.hazmat.primitives.asymmetric import rsa
from google.protobuf.descriptor import ServiceDescriptor

from cofounder.billing.v1 import billing_service_pb2
from cofounder.gateway.v1 import relay_service_pb2
from cofounder.runner.v1 import project_service_pb2, runner_service_pb2
from cofounder.usage.v1 import usage_service_pb2
from cofounder_server import clock
from cofounder_server.builds.ids import uuid7
from cofounder_server.builds.log import Log
from cofounder_server.builds.read import Builds
from cofounder_server.builds.start import Starter
from cofounder_server.builds.transitions import Transitions
from cofounder_server.builds.views import Views
from cofounder_server.builds.watch import Watches
from cofounder_server.identity.accounts import Accounts
from cofounder_server.projects.members import Members
from cofounder_server.projects.sharing import Sharing
from cofounder_server.projects.store import Projects
from cofounder_server.rpc.access import Access
from cofounder_server.rpc.project_service import ProjectService
from cofounder_server.rpc.relay_service import RelayService
from cofounder_server.rpc.runner_service import RunnerService
from cofounder_server.rpc.serve import Service
from cofounder_server.rpc.usage_service import UsageService
from cofounder_server.usage.records import Records
from cofounder_server.usage.settings import Settings
from cofounder_server.usage.watch import UsageWatches


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the services stand on."""

    pool: asyncpg.Pool
    wall: clock.Clock
    builds: Builds
    starter: Starter
    transitions: Transitions
    log: Log
    # Entered already, all three.
    watches: Watches
    views: Views
    usage: UsageWatches


def compose(
    parts: Parts,
    *,
    progress_seconds: float = 15.0,
    reauthorize_seconds: float = 60.0,
    development_key: rsa.RSAPrivateKey | None = None,
) -> list[Service]:
    """Returns every service of the contract; for the arguments see the services. No `development_key` in production."""
    pool, wall = parts.pool, parts.wall
    projects = Projects(pool, wall=wall, new_id=uuid7)
    access = Access(projects, parts.builds)
    runner = RunnerService(
        access=access,
        projects=projects,
        accounts=Accounts(pool),
        builds=parts.builds,
        starter=parts.starter,
        transitions=parts.transitions,
        log=parts.log,
        watches=parts.watches,
        views=parts.views,
        progress_seconds=progress_seconds,
        reauthorize_seconds=reauthorize_seconds,
    )
    usage = UsageService(
        accounts=Accounts(pool),
        watches=parts.usage,
        records=Records(pool),
        settings=Settings(pool, wall=wall, new_id=uuid7),
        wall=wall,
        progress_seconds=progress_seconds,
        reauthorize_seconds=reauthorize_seconds,
    )
    members, sharing = Members(pool, wall=wall), Sharing(pool, wall=wall, new_id=uuid7)
    relay = RelayService(
        access=access,
        log=parts.log,
        watches=parts.watches,
        wall=wall,
        reauthorize_seconds=reauthorize_seconds,
        development_key=development_key,
    )
    return [
        Service(_service(runner_service_pb2), runner),
        Service(
            _service(project_service_pb2),
            ProjectService(access=access, projects=projects, members=members, sharing=sharing),
        ),
        Service(_service(relay_service_pb2), relay),
        Service(_service(usage_service_pb2), usage),
        Service(_service(billing_service_pb2)),
    ]


def _service(module: ModuleType) -> ServiceDescriptor:
    """Returns the one service that a generated module defines."""
    (service,) = module.DESCRIPTOR.services_by_name.values()
    return cast(ServiceDescriptor, service)
