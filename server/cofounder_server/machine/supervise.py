"""Keeps services running: starts them, restarts what dies, gives up loudly, stops in reverse order."""

import asyncio
from collections import deque
from collections.abc import Callable

from cofounder_server.machine import process
from cofounder_server.machine.failure import MachineError
from cofounder_server.machine.service import Service


class Supervisor:
    """Runs services until `stop`.

    A service that ends by itself is started again after a pause that doubles from `first_pause` to `longest_pause`.
    One that fails `most_failures` times within `window` seconds is given up, and with it the whole stack: `failed`
    then raises. Clients of a restarted engine reconnect by themselves.

    Stopping, in this order:
    1. No service is restarted any more.
    2. The service that was started last is asked to end, gets its own deadline, and is then killed with its group.
    3. The same for the one before it, and so on to the first; so nobody loses what it stands on.
    4. `stop` returns when every process is gone. It may be called again, also while it runs.
    """

    def __init__(
        self,
        *,
        notice: Callable[[str], None] = lambda _: None,
        most_failures: int = 5,
        window: float = 60.0,
        first_pause: float = 0.1,
        longest_pause: float = 5.0,
    ) -> None:
        """`notice` hears of every restart. `window` and the pauses are in seconds."""
        self._notice = notice
        self._most_failures = most_failures
        self._window = window
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._services: list[Service] = []
        self._watches: list[asyncio.Task[None]] = []
        self._stopping: asyncio.Task[None] | None = None
        self._is_closing = False
        self._gave_up = asyncio.Event()
        self._failure: MachineError | None = None

    async def start(self, *services: Service) -> None:
        """Starts the services of one call side by side and returns when all are ready.

        Call again for services that need these. A first start that fails is an error at once, not a reason to retry;
        the caller then stops the supervisor.
        """
        if self._stopping is not None:
            raise MachineError("The stack is being stopped; nothing more can be started in it.")
        self._services += services
        try:
            async with asyncio.TaskGroup() as group:
                for service in services:
                    group.create_task(service.start())
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        self._watches += [asyncio.create_task(self._keep(service), name=service.name) for service in services]

    async def failed(self) -> None:
        """Waits until a service is given up, for as long as that takes; then raises MachineError saying why."""
        await self._gave_up.wait()
        assert self._failure is not None
        raise self._failure

    async def stop(self) -> None:
        """Stops everything; see the class. Not undone by the caller's cancellation."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop_all())
        await asyncio.shield(self._stopping)

    def kill(self) -> None:
        """Kills every process at once, e.g. at the second Ctrl-C. `stop` is still needed to reap them."""
        self._is_closing = True
        for watch in self._watches:
            watch.cancel()
        for service in reversed(self._services):
            service.kill()

    async def _stop_all(self) -> None:
        self._is_closing = True
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        for service in reversed(self._services):
            try:
                await service.stop()
            except TimeoutError:
                self._notice(f"{service.name} (process {service.pid}) does not end even when killed; left behind")

    async def _keep(self, service: Service) -> None:
        failures: deque[float] = deque(maxlen=self._most_failures)
        how = process.describe_exit(await service.wait())
        # Asked anew after each wait: a client library may swallow the cancellation that comes while it connects.
        while not self._is_closing:
            failures.append(asyncio.get_running_loop().time())
            if len(failures) == self._most_failures and failures[-1] - failures[0] <= self._window:
                self._give_up(service, how)
                return
            pause = min(self._first_pause * 2 ** (self._recent(failures) - 1), self._longest_pause)
            self._notice(f"{service.name} ended ({how}); starting it again")
            await asyncio.sleep(pause)
            try:
                await service.start()
            except (MachineError, OSError) as error:
                how = str(error).partition(". ")[0]
                continue
            if not self._is_closing:
                how = process.describe_exit(await service.wait())

    def _recent(self, failures: deque[float]) -> int:
        return sum(failures[-1] - moment <= self._window for moment in failures)

    def _give_up(self, service: Service, how: str) -> None:
        self._failure = self._failure or MachineError(
            f"{service.name} failed {self._most_failures} times within {self._window:g} s (last: {how}), so everything "
            f"is stopped. {service.last_words()}"
        )
        self._gave_up.set()
