"""What every store of blobs does alike, run against each of them."""

import asyncio

import pytest

from cofounder_server.blobs import blobs as module
from cofounder_server.blobs.blobs import BlobBroken, BlobMissing, Blobs, BlobTooLarge, address_of
from cofounder_server.clock import VirtualClock

pytestmark = pytest.mark.integration

CONTENTS = [b"", b"a", b"\0\xff" * 5000, "naïve\n".encode()]


async def test_what_was_put_is_got_by_the_sha256_of_its_content(blobs):
    addresses = await blobs.put(CONTENTS)
    assert addresses[1].hex() == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert await blobs.get(addresses) == CONTENTS
    assert await blobs.get(addresses[::-1] + addresses[:1]) == [*CONTENTS[::-1], CONTENTS[0]]


async def test_only_what_was_put_is_there(blobs):
    [address] = await blobs.put([b"here"])
    gone = address_of(b"never")
    assert await blobs.has([address, gone]) == {address}
    assert await blobs.has([]) == frozenset()
    with pytest.raises(BlobMissing, match=gone.hex()):
        await blobs.get([address, gone])


async def test_putting_again_changes_nothing_and_many_may_put_the_same_at_once(blobs):
    contents = [bytes([number]) * 2000 for number in range(200)]
    async with asyncio.timeout(60):
        puts = await asyncio.gather(*(blobs.put(contents[::step]) for step in (1, -1, 1, -1)))
    assert puts[0] == puts[1][::-1] == puts[2]
    assert await blobs.get(puts[0]) == contents


async def test_more_goes_than_one_call_to_the_store_may_carry(blobs):
    contents = [bytes([number]) * 900_000 for number in range(12)]
    assert await blobs.get(await blobs.put(contents)) == contents


async def test_what_is_too_large_is_refused_and_nothing_is_kept(blobs, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    with pytest.raises(BlobTooLarge):
        await blobs.put([b"small", b"much too large"])
    assert await blobs.has([address_of(b"small")]) == frozenset()


async def test_reading_notices_what_is_not_what_was_put(store):
    address = address_of(b"right")
    await store.write({address: b"wrong"})
    with pytest.raises(BlobBroken, match=address.hex()):
        await Blobs(store, VirtualClock()).get([address])
