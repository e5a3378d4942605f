"""ExportUsage: the same calls as a file, piece by piece, and nothing in it that a spreadsheet would run."""

import csv
import io
import json
from datetime import date, timedelta

import grpc
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from cofounder.usage.v1 import usage_service_pb2 as pb
from cofounder_server.rpc import services
from cofounder_server.usage import export, records

DAY = date(2026, 11, 1)
DAYS = {"first_day": "2026-11-01", "last_day": "2026-11-30"}
CSV, JSON = pb.EXPORT_FORMAT_CSV, pb.EXPORT_FORMAT_JSON


async def exported(client, kind=CSV, **fields):
    """Returns the file, and in how many pieces it came."""
    chunks = [each.chunk for each in await client.call("ExportUsage", format=kind, **{**DAYS, **fields})]
    return b"".join(chunks).decode(), len(chunks)


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def listed(client):
    return list(reversed((await client.call("ListUsageRecords", page_size=500)).usage_records))


async def test_both_formats_hold_every_field_of_every_record_oldest_first(site, bookings, monkeypatch):
    monkeypatch.setattr(records, "PAGE_ROWS", 2)
    me = await site.user("me")
    for number in range(5):
        await bookings.spend(day=DAY + timedelta(days=number // 2), cost=2**53 + number)
    wanted = await listed(me)
    text, pieces = await exported(me, JSON)
    assert [json_format.Parse(line, pb.UsageRecord()) for line in text.splitlines()] == wanted
    assert pieces == 3
    # Numbers of 64 bits as strings, and no field left out for being empty.
    first = json.loads(text.splitlines()[0])
    assert first["costMicrodollars"] == str(2**53)
    assert (first["outputTokens"], first["platformBorne"], first["buildId"]) == ("0", False, "")
    text, pieces = await exported(me)
    assert pieces == 4
    assert text.count("\r\n") == 6
    for row, record in zip(rows(text), wanted, strict=True):
        assert list(row) == [field.name for field in pb.UsageRecord.DESCRIPTOR.fields]
        assert int(row["cost_microdollars"]) == record.cost_microdollars
        assert (row["ledger_id"], row["estimated"]) == (record.ledger_id, "false")
        assert row["create_time"] == record.create_time.ToJsonString()


async def test_only_the_days_asked_for_and_only_the_users_own(site, bookings, admin):
    me = await site.user("me")
    for day in (date(2026, 10, 31), DAY, date(2026, 11, 30), date(2026, 12, 1)):
        await bookings.spend(day=day)
    await bookings.spend("you", day=DAY)
    assert [row["create_time"][:10] for row in rows((await exported(me))[0])] == ["2026-11-01", "2026-11-30"]
    assert await exported(await admin(), user_id="me") == await exported(me)
    assert (await me.refused("ExportUsage", user_id="you")).code == grpc.StatusCode.NOT_FOUND


async def test_of_nothing_there_is_a_csv_file_with_its_header_and_an_empty_json_file(site):
    me = await site.user("me")
    text, _ = await exported(me, pb.EXPORT_FORMAT_UNSPECIFIED)
    assert text.startswith("ledger_id,generation_id,")
    assert rows(text) == []
    assert await exported(me, JSON) == ("", 0)


async def test_what_the_platform_bears_shows_as_such(site, bookings):
    await bookings.spend(day=DAY, settled={"platform_borne": True})
    (row,) = rows((await exported(await site.user("me")))[0])
    assert row["platform_borne"] == "true"


@pytest.mark.parametrize(
    "evil", ['=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n1", " =1", "＝1"]
)
async def test_example_139_no_cell_is_a_formula(site, bookings, evil):
    await bookings.spend(day=DAY, model=evil, role=evil, price_version=evil, generation_id=evil)
    me = await site.user("me")
    (row,) = rows((await exported(me))[0])
    for name in ("model", "role", "price_version", "generation_id"):
        assert row[name] == f"'{evil}"
    assert json.loads((await exported(me, JSON))[0])["model"] == evil


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_example_139_whatever_a_cell_holds_comes_back_whole_and_harmless(text):
    record = pb.UsageRecord(model=text)
    (row,) = rows((export.csv_header() + export.csv_lines([record])).decode())
    assert row["model"] in (text, f"'{text}")
    assert not row["model"].lstrip().startswith(("=", "+", "-", "@"))
    assert not row["model"].startswith(("\t", "\r", "\n"))


class Endless(records.Records):
    """A ledger that never ends."""

    async def export(self, payer_id, span):
        while True:
            yield [pb.UsageRecord()]


async def test_d3_an_export_ends_with_the_right_to_it(open_site, monkeypatch, ending):
    monkeypatch.setattr(services, "Records", Endless)
    site = await open_site(reauthorize_seconds=0.2)
    call = (await site.user("me")).open("ExportUsage")
    await call.read()
    await site.pool.execute("insert into user_settings (user_id, suspended) values ('me', true)")
    assert (await ending(call)).reason == "SUSPENDED"
