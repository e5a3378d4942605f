"""The command `cofounder`: its words, its options, its exit codes.

Everything heavy is imported by the command that needs it, so that `--help` answers at once.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cofounder_cli.connection import DEFAULT_SERVER

if TYPE_CHECKING:
    from cofounder_cli.commands import Run

_EPILOG = """\b
Exit codes of build and watch:
   0  the build succeeded          12  it was cancelled
  10  it was partly done            2  wrong usage, or input the server refused
  11  it failed                     1  anything else
 130  you left with Ctrl-C; the build goes on

\b
The token that says who you are is read from COFOUNDER_TOKEN, else from the file
COFOUNDER_TOKEN_FILE, else from keys/me.token under COFOUNDER_DATA or ./.cofounder,
where `make run` puts one. It is never an argument: others can list those."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _shared(command: _Command) -> _Command:
    command = click.option(
        "--server",
        metavar="HOST:PORT",
        envvar="COFOUNDER_GRPC",
        default=DEFAULT_SERVER,
        show_default=True,
        show_envvar=True,
        help="The server. Write https://HOST where it has TLS.",
    )(command)
    return click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, and nothing else there.")(
        command
    )


_verbose = click.option("-v", "--verbose", is_flag=True, help="Show all text of files, commands and thinking.")


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88})
@click.version_option(package_name="cofounder-live", prog_name="cofounder")
def cli() -> None:
    """Type an idea; watch it being built, token by token.

    \b
    Examples:
      cofounder build "A URL shortener with tests"
      cofounder build "A URL shortener" --rehearse happy_path     needs no key
      cofounder watch 0193c0de-…                                   come back, or join late
      cofounder build - --json < idea.txt | jq .textDelta.text
    """


@cli.command(epilog=_EPILOG)
@click.argument("idea")
@click.option("--project", metavar="ID", default="", help="The project to build in; your first one if left out.")
@click.option(
    "--rehearse", metavar="SCENARIO", default="", help="Play a script instead of the agents: happy_path, llm_failure, …"
)
@click.option("--budget", metavar="USD", default="", help="A hard cap on the cost, in dollars: 0.50")
@click.option("--detach", is_flag=True, help="Start the build and return; do not watch it.")
@click.option(
    "--request-id", metavar="UUID", default="", help="The same id again returns the same build, started once."
)
@_verbose
@_shared
def build(
    idea: str,
    project: str,
    rehearse: str,
    budget: str,
    detach: bool,
    request_id: str,
    verbose: bool,
    server: str,
    as_json: bool,
) -> None:
    """Build IDEA and watch it. An IDEA of - is read from stdin.

    \b
    Examples:
      cofounder build "A to-do list with a REST API and tests"
      cofounder build "A to-do list" --budget 0.50 --detach
      cofounder build "Anything" --rehearse partial_build --json
    """
    from cofounder_cli import commands

    run = commands.Run(server=server, as_json=as_json, verbose=verbose)
    request = commands.BuildRequest(
        idea=sys.stdin.read() if idea == "-" else idea,
        project=project,
        scenario=rehearse,
        budget=budget,
        request_id=request_id,
    )
    _finish(run, lambda: commands.start(run, request) if detach else commands.build(run, request))


@cli.command(epilog=_EPILOG)
@click.argument("build_id", metavar="BUILD")
@click.option(
    "--after", metavar="N", type=click.IntRange(min=0), default=0, help="Begin after event N; 0 is the whole log."
)
@_verbose
@_shared
def watch(build_id: str, after: int, verbose: bool, server: str, as_json: bool) -> None:
    """Watch a build, from its beginning or after event N, until it ends.

    A lost connection is taken up again without a gap. Leaving never stops a build.

    \b
    Examples:
      cofounder watch 0193c0de-…
      cofounder watch 0193c0de-… --after 120
      cofounder watch 0193c0de-… --json > events.jsonl
    """
    from cofounder_cli import commands

    run = commands.Run(server=server, as_json=as_json, verbose=verbose)
    _finish(run, lambda: commands.watch(run, build_id, after=after))


@cli.command()
@click.argument("build_id", metavar="BUILD")
@_shared
def cancel(build_id: str, server: str, as_json: bool) -> None:
    """Ask a build to stop. What was committed stays.

    \b
    Example:
      cofounder cancel 0193c0de-…
    """
    from cofounder_cli import commands

    run = commands.Run(server=server, as_json=as_json)
    _finish(run, lambda: commands.cancel(run, build_id))


@cli.command()
@click.option("--project", metavar="ID", default="", help="Only this project's builds.")
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), default=20, show_default=True, help="At most this many."
)
@_shared
def builds(project: str, limit: int, server: str, as_json: bool) -> None:
    """List your builds, newest first.

    \b
    Examples:
      cofounder builds
      cofounder builds --limit 200 --json | jq -r '.builds[].buildId'
    """
    from cofounder_cli import commands

    run = commands.Run(server=server, as_json=as_json)
    _finish(run, lambda: commands.builds(run, project=project, limit=limit))


@cli.command()
@click.option(
    "--days", metavar="N", type=click.IntRange(1, 366), help="Sum up the last N days, today included.  [default: 7]"
)
@click.option("--by", type=click.Choice(("day", "model", "role", "build")), help="What to sum up by.  [default: day]")
@click.option("--watch", "live", is_flag=True, help="Show today's limits, and again whenever they change.")
@_shared
def usage(days: int | None, by: str | None, live: bool, server: str, as_json: bool) -> None:
    """Show what you used: today against each limit of your plan, and the last days summed up.

    Days are UTC days, and limits start anew at 00:00 UTC. What is held is set aside for calls under way; what they do
    not use is given back. Calls that failed by our fault cost you nothing.

    \b
    Examples:
      cofounder usage
      cofounder usage --days 30 --by model
      cofounder usage --watch
      cofounder usage --json | jq -r '.limits[] | [.limit, .used, .allowed] | @tsv'
    """
    if live and (days or by):
        raise click.UsageError("--watch shows today's limits only. Leave --days and --by out.")
    from cofounder_cli import commands, usage_commands

    run = commands.Run(server=server, as_json=as_json)
    if live:
        _finish(run, lambda: usage_commands.watch(run))
    else:
        _finish(run, lambda: usage_commands.show(run, days=days or 7, by=by or "day"))


def _finish(run: "Run", command: "Callable[[], Any]") -> None:
    raise SystemExit(run.to_end(command))


def main() -> None:
    """Runs the command line and leaves with its exit code."""
    cli()
