"""Accounts and share links over real Postgres: who is let in at the door."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from cofounder_server import clock, errors
from cofounder_server.builds.ids import uuid7
from cofounder_server.identity import links, tokens
from cofounder_server.identity.accounts import Accounts, Door, Suspended
from cofounder_server.identity.caller import Kind
from cofounder_server.projects.sharing import Sharing

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def wall() -> clock.VirtualClock:
    return clock.VirtualClock(NOW)


@pytest.fixture
def door(pool: asyncpg.Pool, wall: clock.VirtualClock) -> Door:
    sessions = tokens.DevelopmentVerifier(KEY.public_key(), wall=wall)
    return Door(sessions, links.ShareLinks(pool, wall=wall), Accounts(pool))


def token(user: str = "me", plan: str | None = None) -> str:
    return tokens.issue_development_token(KEY, user_id=user, plan_slug=plan, lifetime=600, now=NOW).token


async def test_eight_first_calls_at_once_write_the_plan_once(door, pool):
    await asyncio.gather(*(door.verify(token(plan="partner")) for _ in range(8)))
    rows = await pool.fetch("select user_id, plan_slug from user_settings")
    assert [tuple(row) for row in rows] == [("me", "partner")]


async def test_a_changed_plan_is_written_and_a_token_without_one_changes_nothing(door, pool):
    accounts = Accounts(pool)
    assert await accounts.plan_of("me") == "bootstrapper"
    for plan in ("partner", "cto_scale"):
        await door.verify(token(plan=plan))
        assert await accounts.plan_of("me") == plan
    await door.verify(token())
    assert await accounts.plan_of("me") == "cto_scale"


async def test_d3_a_suspended_user_is_refused_with_a_valid_token(door, pool):
    await door.verify(token(plan="partner"))
    await pool.execute("update user_settings set suspended = true")
    with pytest.raises(Suspended) as refused:
        await door.verify(token(plan="cto_scale"))
    assert errors.reason_name(refused.value.reason) == "SUSPENDED"
    assert await pool.fetchval("select plan_slug from user_settings") == "partner"


@pytest.fixture
async def project(pool):
    project_id = uuid4()
    await pool.execute(
        "insert into projects (project_id, title, owner_id, request_id) values ($1, 'P', 'me', $2)", project_id, uuid4()
    )
    return project_id


@pytest.fixture
async def shared(pool, wall, project):
    link, shown = await Sharing(pool, wall=wall, new_id=uuid7).create(project, creator_id="me")
    return link, shown


async def test_a_share_link_speaks_for_a_viewer_of_its_one_project(door, project, shared):
    link, shown = shared
    identity = await door.verify(shown)
    assert (identity.kind, identity.user_id, identity.project_id) == (Kind.SHARE_LINK, "", project)
    assert identity.expire_time == link.expire_time == NOW + timedelta(days=7)


async def test_only_the_hash_of_a_share_link_is_kept(pool, shared):
    _, shown = shared
    row = await pool.fetchrow("select * from share_links")
    assert shown.startswith("cfs_")
    assert len(shown) == 4 + 43
    assert shown not in repr(dict(row))
    assert row["token_hash"] == links.token_hash(shown)


async def test_a_share_link_that_ended_was_revoked_or_never_was_is_refused_alike(door, pool, wall, project, shared):
    _, shown = shared
    answers = []

    async def refused(what):
        with pytest.raises(errors.Unauthenticated) as error:
            await door.verify(what)
        answers.append(errors.to_status(error.value))

    await refused(links.new_token())
    await refused(shown[:-1])
    await refused(f"{shown}\n")
    await wall.sleep(7 * 86400)
    await refused(shown)
    fresh, other = await Sharing(pool, wall=wall, new_id=uuid7).create(project, creator_id="me")
    assert (await door.verify(other)).link_id == fresh.link_id
    await Sharing(pool, wall=wall, new_id=uuid7).revoke(project, fresh.link_id)
    await refused(other)
    assert all(answer == answers[0] for answer in answers)
