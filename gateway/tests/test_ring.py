"""The ring: contiguous, bounded, and honest about what it no longer holds."""

import random

import pytest

from cofounder.runner.v1 import runner_service_pb2
from cofounder_gateway.ring import Ring, Stretch

pytestmark = pytest.mark.unit


def stretch(after, last, *, over=False, size=1):
    response = runner_service_pb2.WatchBuildResponse()
    for number in range(after + 1, last + 1):
        response.events.add(sequence=number).text_delta.text = "x" * size
    return Stretch.of(after=after, last=last, events=response.SerializeToString(), over=over)


def sequences(stretches):
    events = b"".join(one.piece.events for one in stretches)
    return [event.sequence for event in runner_service_pb2.WatchBuildResponse.FromString(events).events]


def test_nothing_is_known_before_the_build_is_followed():
    ring = Ring(1000)
    assert not ring.holds(0)
    ring.push(stretch(5, 5))
    assert (ring.base, ring.head, ring.holds(5), ring.holds(4)) == (5, 5, True, False)


def test_a_gap_empties_the_ring_so_that_cursors_read_the_log():
    ring = Ring(1000)
    ring.push(stretch(0, 3))
    ring.push(stretch(5, 6))
    assert (ring.base, ring.head, ring.holds(3)) == (5, 6, False)
    assert sequences(ring.after(5, max_bytes=1000)) == [6]


def test_what_is_known_already_is_not_taken_twice():
    ring = Ring(1000)
    ring.push(stretch(0, 3))
    ring.push(stretch(1, 2))
    ring.push(stretch(1, 5))
    assert sequences(ring.after(0, max_bytes=1000)) == [1, 2, 3, 4, 5]


def test_the_end_is_known_also_from_a_stretch_that_holds_nothing():
    ring = Ring(1000)
    ring.push(stretch(0, 3))
    ring.push(stretch(3, 3, over=True))
    assert ring.over


def test_an_end_that_lies_ahead_is_not_taken_for_reached():
    ring = Ring(1000)
    ring.push(stretch(0, 5))
    ring.push(stretch(2, 3, over=True))
    assert not ring.over


def test_what_was_read_from_the_log_leads_up_to_the_ring_if_there_is_room():
    ring = Ring(1000)
    ring.push(stretch(5, 7))
    ring.extend(stretch(0, 4))
    assert ring.base == 5
    ring.extend(stretch(3, 6))
    assert sequences(ring.after(3, max_bytes=1000)) == [4, 5, 6, 7]
    ring.extend(stretch(0, 3, size=2000))
    assert ring.base == 3
    ring.extend(stretch(0, 3))
    assert sequences(ring.after(0, max_bytes=1000)) == [1, 2, 3, 4, 5, 6, 7]


def test_a_stretch_larger_than_the_ring_is_let_go_whole():
    ring = Ring(100)
    ring.push(stretch(0, 2, size=500))
    assert (ring.size, ring.base, ring.head) == (0, 2, 2)


@pytest.mark.parametrize("seed", range(30))
def test_ordered_unique_reliable_any_cursor_the_ring_holds_reads_on_without_a_gap(seed):
    chance = random.Random(seed)
    ring, head, cap = Ring(chance.choice([50, 500, 5000])), 0, chance.choice([1, 40, 400])
    cursors = {0: 0}
    for step in range(200):
        after = max(0, head - chance.choice([0, 0, 0, 1, 3])) if chance.random() < 0.9 else head + 2
        last = after + chance.randint(0, 6)
        ring.push(stretch(after, last, size=chance.randint(0, 30)))
        head = max(head, last)
        if ring.base and chance.random() < 0.3:
            ring.extend(stretch(max(0, ring.base - chance.randint(0, 5)), chance.randint(ring.base, head), size=3))
        assert ring.head == head
        assert ring.size <= ring.max_bytes
        cursors[step] = chance.randint(0, head)
        for name, cursor in cursors.items():
            if ring.holds(cursor):
                got = sequences(ring.after(cursor, max_bytes=cap))
                assert got == list(range(cursor + 1, cursor + 1 + len(got)))
                assert got or cursor >= head
                cursors[name] = cursor + len(got)
