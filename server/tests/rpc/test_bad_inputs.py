"""Bad input at the door: INVALID_ARGUMENT that names the field, and nothing is lost or half-made."""

import contextlib
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from cofounder.runner.v1 import project_service_pb2 as projects_pb
from cofounder.usage.v1 import usage_service_pb2 as usage_pb
from cofounder_server import errors
from cofounder_server.builds import framing
from cofounder_server.rpc.decode import decode
from cofounder_server.rpc.pages import Pages
from cofounder_server.rpc.requests import Check

ID = "01990000-abcd-7000-8000-00000000000f"
GOOD = {"goal": "g", "request_id": ID}


def raw(number: int, value: bytes | int) -> bytes:
    """A field as it travels."""
    if isinstance(value, int):
        return framing.varint(number << 3) + framing.varint(value)
    return framing.varint(number << 3 | 2) + framing.varint(len(value)) + value


def settings(**changes) -> usage_pb.UserSettings:
    """Settings that are in order but for what is changed."""
    return usage_pb.UserSettings(**{"user_id": "u", "plan_slug": "partner", **changes})


REQUEST_ID, BUILD_ID = raw(3, ID.encode()), raw(1, ID.encode())

CASES = [
    ("StartBuild", {**GOOD, "goal": ""}, ["goal"]),
    ("StartBuild", {**GOOD, "goal": " \n\t\u3000"}, ["goal"]),
    ("StartBuild", {**GOOD, "goal": "a\0b"}, ["goal"]),
    ("StartBuild", {**GOOD, "goal": "x" * 20_001}, ["goal"]),
    ("StartBuild", {**GOOD, "goal": "\U0001f680" * 20_001}, ["goal"]),
    ("StartBuild", REQUEST_ID + raw(2, b"\xed\xa0\x80"), ["goal"]),
    ("StartBuild", REQUEST_ID + raw(2, b"\xff"), ["goal"]),
    ("StartBuild", raw(2, b"g") + raw(3, b"\xc3"), ["request_id"]),
    ("StartBuild", raw(2, b"g") + raw(99, b"\xff") + raw(1, b"\xff"), ["project_id"]),
    ("StartBuild", b"\x12\xff", ["request"]),
    ("StartBuild", b"\x07", ["request"]),
    ("StartBuild", b"\xff" * 11, ["request"]),
    ("StartBuild", {**GOOD, "request_id": ""}, ["request_id"]),
    ("StartBuild", {**GOOD, "request_id": ID.upper()}, ["request_id"]),
    ("StartBuild", {**GOOD, "request_id": ID.replace("-", "")}, ["request_id"]),
    ("StartBuild", {**GOOD, "request_id": f"{{{ID}}}"}, ["request_id"]),
    ("StartBuild", {**GOOD, "request_id": f"urn:uuid:{ID}"}, ["request_id"]),
    ("StartBuild", {**GOOD, "request_id": f"{ID}\n"}, ["request_id"]),
    ("StartBuild", {**GOOD, "request_id": ID.replace("0", "٠")}, ["request_id"]),
    ("StartBuild", {**GOOD, "project_id": "mine"}, ["project_id"]),
    ("StartBuild", {**GOOD, "project_id": "' or 1=1 --"}, ["project_id"]),
    ("StartBuild", {**GOOD, "scenario": "sad_path"}, ["scenario"]),
    ("StartBuild", {**GOOD, "scenario": "Happy_Path"}, ["scenario"]),
    ("StartBuild", {**GOOD, "budget_microdollars": -1}, ["budget_microdollars"]),
    ("StartBuild", {**GOOD, "base_build_id": ID}, ["base_build_id"]),
    ("StartBuild", {"goal": "", "request_id": "x", "scenario": "y"}, ["goal", "request_id", "scenario"]),
    ("GetBuild", {"build_id": ""}, ["build_id"]),
    ("GetBuild", {"build_id": "../etc"}, ["build_id"]),
    ("CancelBuild", {"build_id": "1"}, ["build_id"]),
    ("WatchBuild", {"build_id": ID, "after_sequence": -1}, ["after_sequence"]),
    ("WatchBuild", {"build_id": ID, "after_sequence": 2**53}, ["after_sequence"]),
    ("WatchBuild", {"build_id": ID, "after_sequence": 2**63 - 1}, ["after_sequence"]),
    ("WatchBuild", BUILD_ID + raw(2, 2**63), ["after_sequence"]),
    ("WatchBuild", BUILD_ID + raw(2, 2**64 - 1), ["after_sequence"]),
    ("WatchBuild", BUILD_ID + b"\x10" + b"\xff" * 11, ["request"]),
    ("WatchBuild", {"build_id": "x", "after_sequence": -1}, ["build_id", "after_sequence"]),
    ("ListBuildEvents", {"build_id": ID, "after_sequence": -1}, ["after_sequence"]),
    ("ListBuildEvents", {"build_id": ID, "page_size": -1}, ["page_size"]),
    ("ListBuildEvents", {"build_id": ID, "page_size": 1001}, ["page_size"]),
    ("ListBuildEvents", {"build_id": ID, "page_token": "AAAA"}, ["page_token"]),
    ("ListBuilds", {"page_size": 501}, ["page_size"]),
    ("ListBuilds", {"page_size": -(2**31)}, ["page_size"]),
    ("ListBuilds", {"page_token": "x"}, ["page_token"]),
    ("ListBuilds", {"page_token": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, ["page_token"]),
    ("ListBuilds", {"page_token": "é"}, ["page_token"]),
    ("ListBuilds", {"page_token": "A" * 100_000}, ["page_token"]),
    ("ListBuilds", {"project_id": "x"}, ["project_id"]),
    ("AuthorizeWatch", {"build_id": ID, "after_sequence": -1}, ["after_sequence"]),
    ("CreateProject", {"title": "", "request_id": ID}, ["title"]),
    ("CreateProject", {"title": "t" * 201, "request_id": ID}, ["title"]),
    ("CreateProject", {"title": "t\0", "request_id": ID}, ["title"]),
    ("CreateProject", {"title": "t", "request_id": "x"}, ["request_id"]),
    ("GetProject", {"project_id": "x"}, ["project_id"]),
    ("ListProjects", {"page_size": 501}, ["page_size"]),
    ("ListMembers", {"project_id": ID, "page_token": "x"}, ["page_token"]),
    ("SetMember", {"project_id": ID, "user_id": "", "role": projects_pb.ROLE_VIEWER}, ["user_id"]),
    ("SetMember", {"project_id": ID, "user_id": "u" * 256, "role": projects_pb.ROLE_VIEWER}, ["user_id"]),
    ("SetMember", {"project_id": ID, "user_id": "bob"}, ["role"]),
    ("SetMember", {"project_id": ID, "user_id": "bob", "role": projects_pb.ROLE_OWNER}, ["role"]),
    ("SetMember", {"project_id": ID, "user_id": "bob", "role": 7}, ["role"]),
    ("RemoveMember", {"project_id": ID, "user_id": "a\0"}, ["user_id"]),
    ("CreateShareLink", {"project_id": ID, "expire_time": Timestamp(seconds=2**62)}, ["expire_time"]),
    ("RevokeShareLink", {"project_id": ID, "link_id": "x"}, ["link_id"]),
    ("GetUsage", {"user_id": "u" * 256}, ["user_id"]),
    ("GetUsage", {"user_id": " "}, ["user_id"]),
    ("WatchUsage", {"user_id": "a\0"}, ["user_id"]),
    ("SummarizeUsage", {"first_day": "2026-11-1"}, ["first_day"]),
    ("SummarizeUsage", {"first_day": "2026-02-30"}, ["first_day"]),
    ("SummarizeUsage", {"first_day": "20261101"}, ["first_day"]),
    ("SummarizeUsage", {"first_day": "2026-W45-1"}, ["first_day"]),
    ("SummarizeUsage", {"first_day": "٢٠٢٦-11-01", "last_day": "2026-11-01"}, ["first_day"]),
    ("SummarizeUsage", {"first_day": "2026-11-01\n"}, ["first_day"]),
    ("SummarizeUsage", {"first_day": "0000-01-01"}, ["first_day"]),
    ("SummarizeUsage", {"first_day": "0001-01-01", "last_day": "9999-12-31"}, ["first_day"]),
    ("SummarizeUsage", {"first_day": "2026-01-01", "last_day": "2027-01-02"}, ["first_day"]),
    ("SummarizeUsage", {"first_day": "2026-01-02", "last_day": "2026-01-01"}, ["first_day"]),
    ("SummarizeUsage", {"first_day": "x", "last_day": "y"}, ["first_day", "last_day"]),
    ("SummarizeUsage", {"last_day": "today"}, ["last_day"]),
    ("SummarizeUsage", {"dimension": 5}, ["dimension"]),
    ("ListUsageRecords", {"page_size": 501}, ["page_size"]),
    ("ListUsageRecords", {"page_size": -1}, ["page_size"]),
    ("ListUsageRecords", {"page_token": "x"}, ["page_token"]),
    ("ListUsageRecords", {"page_token": Pages("usage", "", None, "user:me").token(b"")}, ["page_token"]),
    ("ListUsageRecords", {"page_token": Pages("usage", "", None, "user:me").token(b"\xff" * 20)}, ["page_token"]),
    ("ListUsageRecords", {"page_token": Pages("usage", "", None, "user:me").token(b"\1" * 21)}, ["page_token"]),
    ("ListUsageRecords", {"build_id": "x"}, ["build_id"]),
    ("ExportUsage", {"format": 3}, ["format"]),
    ("ExportUsage", {"last_day": "2026-13-01"}, ["last_day"]),
    ("GetUserSettings", {}, ["user_id"]),
    ("UpdateUserSettings", {"reason": "r"}, ["settings", "settings.user_id", "settings.plan_slug"]),
    ("UpdateUserSettings", {"settings": settings()}, ["reason"]),
    ("UpdateUserSettings", {"settings": settings(), "reason": "r" * 1001}, ["reason"]),
    ("UpdateUserSettings", {"settings": settings(user_id="a\0"), "reason": "r"}, ["settings.user_id"]),
    ("UpdateUserSettings", {"settings": settings(plan_slug=""), "reason": "r"}, ["settings.plan_slug"]),
    (
        "UpdateUserSettings",
        {"settings": settings(override_tokens_per_day=-2), "reason": "r"},
        ["settings.override_tokens_per_day"],
    ),
    (
        "UpdateUserSettings",
        {"settings": settings(override_models={"Coder!": "m"}), "reason": "r"},
        ["settings.override_models"],
    ),
    (
        "UpdateUserSettings",
        {"settings": settings(override_models={"coder": ""}), "reason": "r"},
        ["settings.override_models.coder"],
    ),
    (
        "UpdateUserSettings",
        {"settings": settings(override_models={"coder": "m" * 201}), "reason": "r"},
        ["settings.override_models.coder"],
    ),
    (
        "UpdateUserSettings",
        {"settings": settings(override_models={f"r{'x' * n}": "m" for n in range(21)}), "reason": "r"},
        ["settings.override_models"],
    ),
]


async def test_every_bad_input_is_refused_by_the_name_of_its_field_and_changes_nothing(site, build):
    me = await site.user("me")
    build_id = (await build(me)).build_id
    wrong = []
    for name, sent, fields in CASES:
        refused = await (me.refused(name, sent) if isinstance(sent, bytes) else me.refused(name, **sent))
        told = (refused.code, refused.reason, refused.fields)
        if told != (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", fields):
            wrong.append((name, sent if len(str(sent)) < 200 else "…", told))
    assert not wrong
    counts = [await site.pool.fetchval(f"select count(*) from {table}") for table in ("builds", "projects")]
    assert counts == [1, 1]
    assert (await me.call("GetBuild", build_id=build_id)).build.last_sequence == 1


async def test_bad_inputs_of_a_gateway_are_refused_alike(site):
    gateway = await site.gateway()
    for fields, at_fault in [
        ({"build_id": "x"}, ["build_id"]),
        ({"build_id": ID, "after_sequence": -1}, ["after_sequence"]),
        ({"build_id": ID, "max_bytes": -1}, ["max_bytes"]),
        ({"build_id": ID, "max_bytes": 1024 * 1024 + 1}, ["max_bytes"]),
    ]:
        assert (await gateway.refused("ReadBuildLog", **fields)).fields == at_fault
    assert (await gateway.refused("ReadBuildLog", build_id=ID)).reason == "NOT_FOUND"
    assert (await gateway.refused("RelayBuilds", b"\x0a\x01\xff")).fields == ["follow_build_ids"]


async def test_what_is_allowed_at_the_limits_is_accepted(site):
    me = await site.user("me")
    for goal in ("x" * 20_000, "\U0001f680" * 20_000, "g", " g\n"):
        started = await me.call("StartBuild", goal=goal, request_id=str(uuid4()))
        assert (await me.call("GetBuild", build_id=started.build.build_id)).build.goal == goal
    for scenario in ("happy_path", "llm_failure", "partial_build", "rate_limited"):
        started = await me.call("StartBuild", goal="g", request_id=str(uuid4()), scenario=scenario)
        assert started.build.scenario == scenario
    assert (await me.call("ListBuilds", page_size=500)).builds


@given(st.binary(max_size=64))
def test_whatever_bytes_come_are_a_request_or_an_invalid_one(body):
    with contextlib.suppress(errors.InvalidRequest):
        assert decode(projects_pb.CreateProjectRequest, body).IsInitialized()


@given(st.binary(min_size=1, max_size=300))
def test_a_page_token_comes_back_as_the_key_it_was_made_of(key):
    pages, check = Pages("builds", ID, "user:me"), Check()
    assert pages.key(check, pages.token(key)) == key
    check.settle()


@given(st.binary(min_size=1, max_size=24), st.data())
def test_a_page_token_with_one_letter_changed_is_none(key, data):
    pages, check = Pages("builds", ID, "user:me"), Check()
    token = pages.token(key)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCxyz019-_=é").filter(lambda each: each != token[at]))
    assert pages.key(check, token[:at] + letter + token[at + 1 :]) is None
    with pytest.raises(errors.InvalidRequest):
        check.settle()


@given(st.uuids())
def test_each_uuid_has_one_text(value: UUID):
    for text, good in ((str(value), True), (value.hex, False), (str(value) + " ", False), (f"{value}".upper(), None)):
        check = Check()
        found = check.uuid("id", text)
        if good is None:
            good = text == str(value)
        if good:
            check.settle()
            assert found == value
        else:
            with pytest.raises(errors.InvalidRequest):
                check.settle()
