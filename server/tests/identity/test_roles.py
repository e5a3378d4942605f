"""What a role allows."""

import itertools
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from cofounder_server import errors
from cofounder_server.identity import roles
from cofounder_server.identity.caller import Identity, Kind
from cofounder_server.identity.roles import Role

HERE, ELSEWHERE = uuid4(), uuid4()
LATER = datetime(2030, 1, 1, tzinfo=UTC)
USER = Identity(user_id="me", kind=Kind.USER, expire_time=LATER)
LINK = Identity(user_id="", kind=Kind.SHARE_LINK, project_id=HERE, link_id=uuid4(), expire_time=LATER)
SERVICE = Identity(user_id="gateway", kind=Kind.SERVICE, expire_time=LATER)


@pytest.mark.parametrize("membership", [None, *Role])
def test_a_user_is_what_the_membership_says_a_link_a_viewer_and_a_service_nothing(membership):
    assert roles.role_in(USER, HERE, membership) == membership
    assert roles.role_in(LINK, HERE, membership) == Role.VIEWER
    assert roles.role_in(LINK, ELSEWHERE, membership) is None
    assert roles.role_in(SERVICE, HERE, membership) is None


@pytest.mark.parametrize(("role", "needed"), list(itertools.product(Role, Role)))
def test_owner_may_what_editor_may_and_editor_what_viewer_may(role, needed):
    if role >= needed:
        assert roles.demand(role, needed, resource="build", resource_id=HERE) == role
    else:
        with pytest.raises(errors.RoleTooLow) as refused:
            roles.demand(role, needed, resource="build", resource_id=HERE)
        assert refused.value.metadata == {"role": role.word, "needed": needed.word}


@pytest.mark.parametrize("needed", Role)
def test_d4_without_a_role_there_is_nothing(needed):
    with pytest.raises(errors.NotFound):
        roles.demand(None, needed, resource="build", resource_id=HERE)
