"""Choosing a port: the one asked for, else the next that is free."""

import socket
from collections.abc import Collection
from dataclasses import dataclass

from cofounder_server.machine.failure import MachineError

_TRIES = 100
_LAST_PORT = 65535


@dataclass(frozen=True)
class Port:
    """A free port on the loopback, and the one that was asked for."""

    asked: int
    number: int

    @property
    def was_moved(self) -> bool:
        return self.number != self.asked


def choose(asked: int, *, but: Collection[int] = ()) -> Port:
    """The first free port from `asked` on that is not in `but`; 0 asks for any.

    It is free now and not reserved: whoever binds it must be started soon.
    """
    if asked == 0:
        free = _any_free()
        return Port(asked=free, number=free)
    if not 0 < asked <= _LAST_PORT:
        raise MachineError(f"{asked} is not a port. Choose one from 1 to {_LAST_PORT}, or 0 for any.")
    for number in range(asked, min(asked + _TRIES, _LAST_PORT + 1)):
        if number not in but and _is_free(number):
            return Port(asked=asked, number=number)
    raise MachineError(f"Port {asked} and those after it are taken. Choose another with PORT or GRPC_PORT.")


def _any_free() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _is_free(number: int) -> bool:
    with socket.socket() as listener:
        # As servers do it: what lingers of ended connections does not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True
