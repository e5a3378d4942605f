"""The server's command line: `python -m cofounder_server`, installed as `cofounder-server`."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from cofounder_server.errors import InvalidRequest
from cofounder_server.queue_commands import queue
from cofounder_server.settings import Settings

DAY_SECONDS = 86400.0


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Runs Cofounder's server side.

    \b
    On one machine:      cofounder-server run
    On many machines:    cofounder-server migrate; then any number of
                         cofounder-server serve, cofounder-server work, cofounder-gateway
                         over one DATABASE_URL and one REDIS_URL

    Every setting comes from the environment; see README.md.
    """


main.add_command(queue)


def _data_option(command: Any) -> Any:
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        default=lambda: os.environ.get("COFOUNDER_DATA", ".cofounder"),
        help="The data folder. Default: $COFOUNDER_DATA, else .cofounder",
    )(command)


@main.command()
@_data_option
@click.option(
    "--sample/--no-sample", default=None, help="Begin with a sample build. Default: unless COFOUNDER_SAMPLE=0"
)
def run(data: Path, sample: bool | None) -> None:
    """Starts everything on this machine and serves until Ctrl-C.

    Postgres, Redis, a server, a worker and the gateway; without ANTHROPIC_API_KEY also a rehearsal model, whose words
    are scripted. PORT and GRPC_PORT name other ports, DATABASE_URL and REDIS_URL other engines.
    """
    from cofounder_server.machine import stack

    wanted = os.environ.get("COFOUNDER_SAMPLE", "1") != "0" if sample is None else sample
    sys.exit(asyncio.run(stack.run(_options(data, wanted))))


@main.command()
@click.argument("idea")
@_data_option
def demo(idea: str, data: Path) -> None:
    """Builds IDEA once, streamed to this terminal, and stops everything.

    Exits as the build ends: 0 succeeded, 10 partial, 11 failed, 12 cancelled.
    """
    from cofounder_server.machine import stack

    sys.exit(asyncio.run(stack.demo(idea, _options(data, sample=False))))


@main.command()
def serve() -> None:
    """Serves gRPC on GRPC_PORT until SIGTERM, then drains."""
    from cofounder_server.app import server
    from cofounder_server.identity.keys import KeyUnusableError
    from cofounder_server.rpc.serve import CannotListenError

    try:
        _run_forever(server.serve)
    except (KeyUnusableError, CannotListenError) as fault:
        raise click.ClickException(str(fault)) from fault


@main.command()
def work() -> None:
    """Plays builds until SIGTERM, then hands back what is under way."""
    from cofounder_server.app import worker

    _run_forever(worker.work)


@main.command()
def migrate() -> None:
    """Brings the database at DATABASE_URL up to this program's schema. Safe to run anywhere, any time."""
    from cofounder_server import db

    for name in asyncio.run(db.migrate(Settings().database_url.get_secret_value())):
        click.echo(name)


@main.command("rehearsal-model")
def rehearsal_model() -> None:
    """Serves a scripted model on COFOUNDER_REHEARSAL_PORT, this machine only."""
    from cofounder_server.agent.rehearsal import server

    settings = Settings()
    asyncio.run(server.serve(settings.rehearsal_port, settings.rehearsal_pace))


@main.command()
@_data_option
def keys(data: Path) -> None:
    """Makes the development keys and tokens of a data folder, where they are absent."""
    from cofounder_server.identity import machine_keys

    _refuse_in_production()
    machine_keys.ensure_keys(data)


@main.command("dev-token")
@click.option("--user", required=True, help="Whom the token speaks for.")
@click.option("--plan", help="The plan the user shall have: bootstrapper, partner or cto_scale.")
@_data_option
def dev_token(user: str, plan: str | None, data: Path) -> None:
    """Prints a development token, good for a day. Refused in production.

    \b
    COFOUNDER_TOKEN=$(cofounder-server dev-token --user ada) cofounder builds
    """
    from cofounder_server.clock import WallClock
    from cofounder_server.identity import keys as key_files
    from cofounder_server.identity import tokens

    _refuse_in_production()
    settings = Settings()
    key = key_files.development_key(production=False, key_file=settings.key_file, data=data)
    try:
        issued = tokens.issue_development_token(
            key, user_id=user, plan_slug=plan, lifetime=DAY_SECONDS, now=WallClock().now()
        )
    except InvalidRequest as fault:
        raise click.UsageError(fault.text) from fault
    click.echo(issued.token)


def _options(data: Path, sample: bool) -> Any:
    from cofounder_server.machine import stack

    port, grpc_port = (int(os.environ.get(name) or default) for name, default in (("PORT", 8080), ("GRPC_PORT", 50051)))
    return stack.Options(data=data, port=port, grpc_port=grpc_port, sample=sample, environ=dict(os.environ))


def _run_forever(start: Callable[[Settings], Coroutine[Any, Any, None]]) -> None:
    import uvloop

    from cofounder_server.app import ground

    settings = Settings()
    if settings.failpoints:
        raise click.ClickException(
            "COFOUNDER_FAILPOINTS is set, and this program never crashes on purpose. Unset it, or start "
            "`python -m cofounder_server.testing`."
        )
    ground.configure_logs(settings)
    uvloop.run(start(settings))


def _refuse_in_production() -> None:
    if Settings().production:
        raise click.ClickException(
            "COFOUNDER_ENV is production, where development tokens are refused. Use your identity provider."
        )


if __name__ == "__main__":
    main()
