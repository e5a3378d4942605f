"""What `make run` and `make demo` do: the whole product on one machine, until Ctrl-C or until the build is over."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from cofounder_server.machine.assembly import Options, Stack
from cofounder_server.machine.console import Console
from cofounder_server.machine.failure import MachineError

__all__ = ["SAMPLE_IDEA", "Options", "demo", "run"]

SAMPLE_IDEA = "A URL shortener with tests"
_FAILED = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Work = Callable[[Stack, Console], Awaitable[int]]


async def run(options: Options) -> int:
    """Starts everything, prints `ready http://127.0.0.1:8080 grpc 127.0.0.1:50051` (the real ports) on stdout, and
    serves until SIGINT or SIGTERM, which stop everything in order; a second one stops it at once.

    Returns 0 after a stop by signal, 1 after a failure whose reason is on stderr.
    """

    async def serve(stack: Stack, console: Console) -> int:
        console.announce(stack.ready_line)
        console.say("Ctrl-C stops everything; what was built is kept")
        if options.sample:
            code = await stack.while_healthy(stack.build(SAMPLE_IDEA))
            # Again: by now the first line has long scrolled away.
            console.say(f"the sample build is over (exit code {code}); still {stack.ready_line}, serving until Ctrl-C")
        await stack.failed()
        return _FAILED

    return await _with_stack(options, serve, after_signal=lambda _: 0)


async def demo(idea: str, options: Options) -> int:
    """Starts everything, streams one build of `idea` to the terminal, and stops everything.

    Returns the CLI's exit code, 1 after a failure whose reason is on stderr, or 128 + the number of the signal that
    ended it.
    """

    async def build(stack: Stack, _: Console) -> int:
        return await stack.while_healthy(stack.build(idea))

    return await _with_stack(options, build, after_signal=lambda number: 128 + number)


async def _with_stack(options: Options, work: Work, *, after_signal: Callable[[signal.Signals], int]) -> int:
    console = Console()
    received: list[signal.Signals] = []
    try:
        stack = Stack(options, console)
    except MachineError as error:
        console.say(str(error))
        return _FAILED
    working = asyncio.ensure_future(_start_and(work, stack, console))

    def on_signal(number: signal.Signals) -> None:
        received.append(number)
        if len(received) == 1:
            console.say("stopping; once more to stop at once")
            working.cancel()
        else:
            stack.kill()

    with _handling(on_signal):
        try:
            return await working
        except asyncio.CancelledError:
            if not received:
                raise
            return after_signal(received[0])
        except MachineError as error:
            console.say(str(error))
            return _FAILED
        finally:
            working.cancel()
            await stack.stop()


async def _start_and(work: Work, stack: Stack, console: Console) -> int:
    await stack.start()
    return await work(stack, console)


@contextmanager
def _handling(on_signal: Callable[[signal.Signals], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
