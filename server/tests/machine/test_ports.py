"""Issue 2 point 10: a taken port is moved, and said."""

import socket

import pytest

from cofounder_server.machine import ports
from cofounder_server.machine.failure import MachineError

pytestmark = pytest.mark.unit


def test_a_free_port_is_kept() -> None:
    free = ports.choose(0).number
    assert ports.choose(free) == ports.Port(asked=free, number=free)
    assert not ports.choose(free).was_moved


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_moved_to_the_next_free_one(address: str) -> None:
    with socket.create_server((address, 0)) as listener:
        taken = listener.getsockname()[1]
        chosen = ports.choose(taken)
        assert chosen.asked == taken
        assert chosen.number > taken
        assert chosen.was_moved


def test_two_services_never_get_the_same_port() -> None:
    free = ports.choose(0).number
    assert ports.choose(free, but={free}).number > free


@pytest.mark.parametrize("asked", [-1, 65536])
def test_what_is_no_port_is_refused(asked: int) -> None:
    with pytest.raises(MachineError, match="is not a port"):
        ports.choose(asked)
