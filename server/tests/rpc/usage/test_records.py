"""Records and sums: every call that came to something, in pages without gap or repeat, and figures that add up."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import grpc
import pytest

from cofounder.usage.v1 import usage_service_pb2 as pb
from cofounder_server.usage import records

BUILD, OTHER = UUID("01990000-abcd-7000-8000-0000000000b1"), UUID("01990000-abcd-7000-8000-0000000000b2")
DAY = date(2026, 11, 1)
DIMENSIONS = (
    pb.USAGE_DIMENSION_UNSPECIFIED,
    pb.USAGE_DIMENSION_DAY,
    pb.USAGE_DIMENSION_MODEL,
    pb.USAGE_DIMENSION_ROLE,
    pb.USAGE_DIMENSION_BUILD,
)


async def sums(client, dimension, **fields):
    fields = {"first_day": "2026-10-01", "last_day": "2026-11-30", **fields}
    found = (await client.call("SummarizeUsage", dimension=dimension, **fields)).sums
    return {each.key: (each.calls, each.tokens, each.cost_microdollars) for each in found}


async def test_a_record_tells_all_that_the_ledger_has_of_a_call(site, bookings):
    me = await site.user("me")
    big = 2**53 + 1
    settled = {
        "output_tokens": 20,
        "cache_read_tokens": 30,
        "cache_write_5m_tokens": 40,
        "cache_write_1h_tokens": big,
        "estimated": True,
    }
    ledger_id = await bookings.spend(
        tokens=10, cost=2**62, build_id=BUILD, model="m-2", role="architect", settled=settled
    )
    (record,) = (await me.call("ListUsageRecords")).usage_records
    assert (record.ledger_id, record.build_id, record.generation_id) == (str(ledger_id), str(BUILD), "g1")
    assert (record.model, record.role, record.price_version) == ("m-2", "architect", "v1")
    counted = (record.input_tokens, record.output_tokens, record.cache_read_tokens)
    assert (*counted, record.cache_write_5m_tokens, record.cache_write_1h_tokens) == (10, 20, 30, 40, big)
    assert (record.cost_microdollars, record.estimated, record.platform_borne) == (2**62, True, False)
    assert record.create_time.ToDatetime(UTC).date() == datetime.now(UTC).date()


async def test_what_is_under_way_and_what_was_never_asked_is_no_record(site, bookings):
    me = await site.user("me")
    await bookings.reserve()
    await bookings.ledger.release(await bookings.reserve(), datetime.now(UTC))
    assert not (await me.call("ListUsageRecords")).usage_records
    assert not (await me.call("SummarizeUsage")).sums


async def test_pages_go_from_the_newest_back_without_gap_or_repeat(site, bookings):
    me = await site.user("me")
    booked = [await bookings.spend(day=DAY + timedelta(days=n // 3)) for n in range(7)]
    await bookings.spend("you")
    for size in (1, 2, 3, 7, 500):
        found, token = [], ""
        while True:
            page = await me.call("ListUsageRecords", page_size=size, page_token=token)
            found += [record.ledger_id for record in page.usage_records]
            token = page.next_page_token
            if not token:
                break
            # What comes meanwhile is newer, and disturbs nothing.
            if size == 2:
                await bookings.spend(day=DAY + timedelta(days=20))
        assert found[-7:] == [str(each) for each in reversed(booked)]


async def test_records_of_a_build_and_a_page_token_that_fits_no_other_list(site, bookings, admin):
    me, root = await site.user("me"), await admin()
    for build_id in (BUILD, OTHER, BUILD, None):
        await bookings.spend(build_id=build_id)
    page = await me.call("ListUsageRecords", build_id=str(BUILD), page_size=1)
    again = await me.call("ListUsageRecords", build_id=str(BUILD), page_size=1, page_token=page.next_page_token)
    assert {each.build_id for each in (*page.usage_records, *again.usage_records)} == {str(BUILD)}
    assert not again.next_page_token
    token = page.next_page_token
    for client, fields in ((me, {}), (me, {"build_id": str(OTHER)}), (root, {"user_id": "me", "build_id": str(BUILD)})):
        refused = await client.refused("ListUsageRecords", page_size=1, page_token=token, **fields)
        assert refused.fields == ["page_token"]
    assert not (await me.call("ListUsageRecords", build_id=str(uuid4()))).usage_records


async def test_a_build_of_somebody_else_is_as_one_that_does_not_exist(site, bookings):
    await bookings.spend("you", build_id=BUILD)
    me = await site.user("me")
    assert await me.call("ListUsageRecords", build_id=str(BUILD)) == pb.ListUsageRecordsResponse()
    assert (await me.refused("ListUsageRecords", user_id="you")).code == grpc.StatusCode.NOT_FOUND


@pytest.fixture
async def month(bookings):
    """Two days of calls by two models, two roles and for two builds, with all that must not be counted."""
    await bookings.spend(tokens=1, cost=10, day=DAY, build_id=BUILD)
    await bookings.spend(tokens=2, cost=20, day=DAY, build_id=OTHER, model="m-2")
    await bookings.spend(tokens=4, cost=40, day=DAY + timedelta(days=1), role="architect")
    await bookings.spend(tokens=8, cost=80, day=DAY, settled={"platform_borne": True})
    await bookings.spend("you", tokens=16, cost=160, day=DAY)
    for day in (date(2026, 9, 30), date(2026, 12, 1)):
        await bookings.spend(tokens=32, cost=320, day=day)


async def test_sums_by_every_dimension(site, month):
    me = await site.user("me")
    assert await sums(me, pb.USAGE_DIMENSION_DAY) == {"2026-11-01": (2, 3, 30), "2026-11-02": (1, 4, 40)}
    assert await sums(me, pb.USAGE_DIMENSION_UNSPECIFIED) == await sums(me, pb.USAGE_DIMENSION_DAY)
    assert await sums(me, pb.USAGE_DIMENSION_MODEL) == {"m-1": (2, 5, 50), "m-2": (1, 2, 20)}
    assert await sums(me, pb.USAGE_DIMENSION_ROLE) == {"architect": (1, 4, 40), "coder": (2, 3, 30)}
    by_build = await sums(me, pb.USAGE_DIMENSION_BUILD)
    assert by_build == {"": (1, 4, 40), str(BUILD): (1, 1, 10), str(OTHER): (1, 2, 20)}


async def test_the_figures_add_up_whatever_they_are_summed_by_also_with_what_was_given_back(site, bookings, month):
    me = await site.user("me")
    await bookings.credit(7, build_id=BUILD, day=DAY)
    await bookings.credit(5, day=DAY + timedelta(days=1))
    for dimension in DIMENSIONS:
        found = (await sums(me, dimension)).values()
        assert tuple(map(sum, zip(*found, strict=True))) == (3, 7, 70 - 12)
    assert (await sums(me, pb.USAGE_DIMENSION_BUILD))[str(BUILD)] == (1, 1, 3)
    assert (await sums(me, pb.USAGE_DIMENSION_MODEL))["(credits)"] == (0, 0, -12)


async def test_the_sum_of_today_is_what_the_limits_counted(site, bookings):
    me = await site.user("me")
    await bookings.spend(tokens=70, cost=700)
    await bookings.spend(tokens=80, cost=800, settled={"platform_borne": True})
    await bookings.credit(100)
    (today,) = (await me.call("SummarizeUsage")).sums
    used = {use.limit: use.used for use in (await me.call("GetUsage")).limits}
    assert (today.tokens, today.cost_microdollars) == (used["tokens_per_day"], used["cost_per_day"]) == (70, 600)


async def test_days_left_out_are_the_last_thirty_and_today(site, bookings):
    me = await site.user("me")
    today = datetime.now(UTC).date()
    for back in (0, 30, 31):
        await bookings.spend(day=today - timedelta(days=back))
    found = [each.key for each in (await me.call("SummarizeUsage")).sums]
    assert found == [str(today - timedelta(days=30)), str(today)]


async def test_a_whole_year_is_summed_and_an_admin_sums_anybodys(site, month, admin):
    fields = {"first_day": "2025-12-01", "last_day": "2026-12-01"}
    assert len(await sums(await site.user("me"), pb.USAGE_DIMENSION_DAY, **fields)) == 4
    assert len(await sums(await admin(), pb.USAGE_DIMENSION_DAY, user_id="me", **fields)) == 4


async def test_d6_of_very_many_builds_the_dearest_are_named_and_the_others_summed_up(site, bookings, monkeypatch):
    monkeypatch.setattr(records, "MOST_KEYS", 2)
    for number in range(4):
        await bookings.spend(tokens=1, cost=10**number, build_id=UUID(int=number + 1))
    found = await sums(await site.user("me"), pb.USAGE_DIMENSION_BUILD, last_day=str(datetime.now(UTC).date()))
    dearest = {str(UUID(int=4)): (1, 1, 1000), str(UUID(int=3)): (1, 1, 100)}
    assert found == {**dearest, "(other)": (2, 2, 11)}
