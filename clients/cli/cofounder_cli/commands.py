"""What the commands do: each asks the server, writes what it heard and returns the exit code."""

import asyncio
import contextlib
import decimal
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from cofounder_cli import ending, figures, protojson
from cofounder_cli._gen.cofounder.runner import v1 as runner
from cofounder_cli.client import TERMINAL_STATES, Client, terminal_kind
from cofounder_cli.connection import DEFAULT_SERVER, parse_address, read_token
from cofounder_cli.failure import EXIT_OTHER, EXIT_USAGE, CommandFailed
from cofounder_cli.record import Record
from cofounder_cli.screen import survive_any_locale
from cofounder_cli.terminal import clean_line
from cofounder_cli.view import View

EXIT_INTERRUPTED = 130
_TICK_SECONDS = 1.0
_PAGE = 500
_MAX_MICRODOLLARS = 2**63 - 1


@dataclass(kw_only=True)
class Run:
    """One run of the program: where it asks, how it answers, and how far it came."""

    server: str
    as_json: bool
    verbose: bool = False
    way_back: list[str] = field(default_factory=list)
    """What to say to somebody who leaves now."""
    notice: Callable[[str], None] = field(default_factory=lambda: _tell)
    """Says that a connection was lost or found again."""

    def to_end(self, command: Callable[[], Coroutine[Any, Any, int]]) -> int:
        """Runs a command; returns the exit code of the shell. Every fault has been said on stderr by then."""
        survive_any_locale()
        try:
            return asyncio.run(command())
        except (KeyboardInterrupt, asyncio.CancelledError):
            # Ctrl-C cancels the command. After a lost connection it ends as CancelledError: the transport cancels the
            # waiting task to wake it and leaves the count of cancellations raised.
            _tell("\n".join(self.way_back or ["Stopped."]))
            return EXIT_INTERRUPTED
        except CommandFailed as failure:
            _tell(failure.message)
            return failure.exit_code
        except BrokenPipeError:
            # The reader left (`| head`). Nothing may be flushed into the broken pipe at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_OTHER

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Opens a client of the server."""
        address = parse_address(self.server)
        if address.is_exposed:
            _tell(
                f"Note: {address} is asked without TLS, so your token can be read on the way. Write https:// for TLS."
            )
        client = Client(address, read_token, notice=self._heard)
        try:
            yield client
        finally:
            await client.close()

    def _heard(self, text: str) -> None:
        # Looked up late: the view takes over once there is one.
        self.notice(text)

    def command_line(self, *words: str) -> str:
        """Returns the line that calls the same server again."""
        server = f" --server {clean_line(self.server)}" if self.server != DEFAULT_SERVER else ""
        return " ".join(("cofounder", *map(clean_line, words))) + server

    def view(self, build: runner.Build, *, after: int) -> View | Record:
        """Returns what shows a build, and lets it say what happens to the connection."""
        view: View | Record
        if self.as_json:
            view = Record(build, out=sys.stdout, err=sys.stderr)
        else:
            view = View(build, after=after, out=sys.stdout, err=sys.stderr, verbose=self.verbose)
        self.notice = view.notice
        return view


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """What `cofounder build` was asked for, as it was typed."""

    idea: str
    project: str = ""
    scenario: str = ""
    budget: str = ""
    request_id: str = ""

    def message(self) -> runner.StartBuildRequest:
        """Returns the request. Raises CommandFailed with the exit code of bad usage if it cannot be sent."""
        for name, text in (("IDEA", self.idea), ("--project", self.project), ("--rehearse", self.scenario)):
            _require_unicode(name, text)
        return runner.StartBuildRequest(
            project_id=self.project,
            goal=self.idea,
            request_id=self.request_id or str(uuid.uuid4()),
            scenario=self.scenario,
            budget_microdollars=_microdollars(self.budget),
        )


async def start(run: Run, request: BuildRequest) -> int:
    """Starts a build and does not watch it."""
    message = request.message()
    async with run.client() as client:
        run.way_back = _may_have_started(run, message)
        response = await client.start_build(message)
    build = _present(response.build)
    if run.as_json:
        write_line(protojson.to_line(response))
    else:
        write_line(f"build  {clean_line(build.build_id)}{'' if response.created else '  (started before)'}")
        write_line(f"Watch it with: {run.command_line('watch', build.build_id)}")
    return 0


async def build(run: Run, request: BuildRequest) -> int:
    """Starts a build and follows it to its end."""
    message = request.message()
    async with run.client() as client:
        run.way_back = _may_have_started(run, message)
        started = _present((await client.start_build(message)).build)
        return await _follow(run, client, started, after=0)


async def watch(run: Run, build_id: str, *, after: int) -> int:
    """Follows a build from `after` to its end."""
    _require_unicode("BUILD", build_id)
    async with run.client() as client:
        found = _present((await client.get_build(build_id)).build)
        return await _follow(run, client, found, after=after)


async def cancel(run: Run, build_id: str) -> int:
    """Asks a build to stop."""
    _require_unicode("BUILD", build_id)
    async with run.client() as client:
        response = await client.cancel_build(build_id)
    stopped = _present(response.build)
    if run.as_json:
        write_line(protojson.to_line(response))
    elif stopped.state in TERMINAL_STATES and stopped.state != runner.BuildState.CANCELLED:
        write_line(f"The build was over before ({_word(stopped.state)}); nothing changed.")
    else:
        write_line(f"The build stops. Its last events: {run.command_line('watch', stopped.build_id)}")
    return 0


async def builds(run: Run, *, project: str, limit: int) -> int:
    """Lists builds, newest first."""
    _require_unicode("--project", project)
    listed = runner.ListBuildsResponse()
    async with run.client() as client:
        while len(listed.builds) < limit:
            page = runner.ListBuildsRequest(
                project_id=project,
                page_size=min(limit - len(listed.builds), _PAGE),
                page_token=listed.next_page_token,
            )
            response = await client.list_builds(page)
            listed.builds += response.builds
            listed.next_page_token = response.next_page_token
            if not listed.next_page_token:
                break
    if run.as_json:
        write_line(protojson.to_line(listed))
        return 0
    for one in listed.builds:
        write_line(_row(one))
    if not listed.builds:
        write_line('No builds yet. Start one with: cofounder build "…"')
    elif listed.next_page_token:
        write_line(f"There are more; --limit {limit * 10} shows them.")
    return 0


async def _follow(run: Run, client: Client, build: runner.Build, *, after: int) -> int:
    last: runner.BuildEvent | None = None
    run.way_back = _way_back(run, build.build_id, after)
    view = run.view(build, after=after)
    ticking = asyncio.create_task(_tick(view))
    try:
        async with contextlib.aclosing(client.watch(build.build_id, after=after)) as watching:
            async for response in watching:
                view.take(response)
                if response.events:
                    last = response.events[-1]
                    run.way_back = _way_back(run, build.build_id, last.sequence)
        terminal = last if last is not None and terminal_kind(last) else None
        view.leave()
        end = ending.of(await _build_at_end(client, build, terminal), terminal)
    finally:
        ticking.cancel()
        view.leave()
    view.close(end)
    return end.exit_code


async def _build_at_end(client: Client, build: runner.Build, terminal: runner.BuildEvent | None) -> runner.Build:
    try:
        return _present((await client.get_build(build.build_id)).build)
    except CommandFailed as failure:
        if terminal is None:
            raise
        # The outcome is known; that the server went away since changes nothing about it.
        _tell(failure.message)
        return build


async def _tick(view: View | Record) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        view.tick()


def _way_back(run: Run, build_id: str, after: int) -> list[str]:
    words = ["watch", build_id, *(["--after", str(after)] if after else [])]
    return ["The build goes on without you. Come back with:", f"  {run.command_line(*words)}"]


def _may_have_started(run: Run, message: runner.StartBuildRequest) -> list[str]:
    return [
        "Stopped before the server answered; the build may have started all the same. See with:",
        f"  {run.command_line('builds')}",
        f"The same command with --request-id {clean_line(message.request_id)} returns to it and starts no second one.",
    ]


def _row(build: runner.Build) -> str:
    when = f"{build.create_time.astimezone():%Y-%m-%d %H:%M}" if build.create_time is not None else ""
    goal = clean_line(build.goal)[:60]
    return f"{clean_line(build.build_id)}  {when}  {_word(build.state):<9}  {goal}"


def _word(state: runner.BuildState) -> str:
    return state.name.lower() if state.name else str(int(state))


def _present(build: runner.Build | None) -> runner.Build:
    if build is None:
        raise CommandFailed(
            "The server answered without a build. It is not a server this program knows; check --server."
        )
    return build


def _microdollars(text: str) -> int:
    if not text:
        return 0
    with contextlib.suppress(decimal.InvalidOperation, ValueError, OverflowError):
        amount = decimal.Decimal(text.removeprefix("$")) * figures.MICRODOLLARS
        if amount == amount.to_integral_value() and 0 < amount <= _MAX_MICRODOLLARS:
            return int(amount)
    message = (
        f"--budget {text!r} is not an amount of dollars. Write one above zero with at most six decimals, such as 0.50."
    )
    raise CommandFailed(message, exit_code=EXIT_USAGE)


def _require_unicode(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        message = f"{name} holds bytes that are not UTF-8, so it cannot be sent. Nothing was started."
        raise CommandFailed(message, exit_code=EXIT_USAGE) from None


def write_line(text: str) -> None:
    """Writes a line to stdout, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
