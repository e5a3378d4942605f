"""The server's command line: `python -m cofounder_server`, installed as `cofounder-server`."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from pydantic_settings import SettingsError

from cofounder_server.admin_commands import admin
from cofounder_server.errors import DependencyUnavailable, InvalidRequest
from cofounder_server.queue_commands import queue
from cofounder_server.settings import Settings

DAY_SECONDS = 86400.0
USAGE = 2


class _Group(click.Group):
    """Ends its help with every setting there is."""

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        fields = [field for name, field in Settings.model_fields.items() if name != "failpoints"]
        with formatter.section("Settings, from the environment (README.md says more)"):
            formatter.write_dl(
                [(str(field.alias), _shown(field.get_default(call_default_factory=True))) for field in fields]
            )


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Runs Cofounder's server side.

    \b
    On one machine:      cofounder-server run
    On many machines:    cofounder-server migrate; then any number of
                         cofounder-server serve, cofounder-server work, cofounder-gateway
                         over one DATABASE_URL and one REDIS_URL
    """


main.add_command(admin)
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
    """Starts everything on this machine.

    Postgres, Redis, a server, a worker and the gateway; without ANTHROPIC_API_KEY also a rehearsal model, whose words
    are scripted. Serves until Ctrl-C at PORT and GRPC_PORT (8080 and 50051). DATABASE_URL and REDIS_URL name engines
    of your own.
    """
    from cofounder_server.machine import stack

    wanted = os.environ.get("COFOUNDER_SAMPLE", "1") != "0" if sample is None else sample
    sys.exit(asyncio.run(stack.run(_options(data, wanted))))


@main.command()
@click.argument("idea")
@_data_option
def demo(idea: str, data: Path) -> None:
    """Builds IDEA once, in this terminal.

    Starts everything, streams the build, and stops everything. Exits as the build ends: 0 succeeded, 10 partial,
    11 failed, 12 cancelled.
    """
    from cofounder_server.machine import stack

    sys.exit(asyncio.run(stack.demo(idea, _options(data, sample=False))))


@main.command()
def serve() -> None:
    """Serves gRPC until SIGTERM, then drains.

    Listens on COFOUNDER_HOST and GRPC_PORT. Needs DATABASE_URL and REDIS_URL, and a database that `migrate` has seen.
    """
    from cofounder_server.app import server
    from cofounder_server.identity.keys import KeyUnusableError
    from cofounder_server.rpc.serve import CannotListenError

    try:
        _run_forever(server.serve)
    except (KeyUnusableError, CannotListenError) as fault:
        raise click.ClickException(str(fault)) from fault


@main.command()
def work() -> None:
    """Plays builds until SIGTERM.

    Then hands back what is under way: another worker goes on with it.
    """
    from cofounder_server.app import worker

    _run_forever(worker.work)


@main.command()
def migrate() -> None:
    """Brings the database up to date.

    The one at DATABASE_URL, to this program's schema; prints what was applied. Safe to run anywhere, any time.
    """
    from cofounder_server import db
    from cofounder_server.app import schema

    settings = _settings()
    _demand_engines(settings, "DATABASE_URL")
    try:
        applied = asyncio.run(schema.migrate(settings.database_url.get_secret_value()))
    except db.CannotConnectError as fault:
        raise click.ClickException(str(fault)) from fault
    for name in applied:
        click.echo(name)


@main.command("rehearsal-model")
def rehearsal_model() -> None:
    """Serves a scripted model.

    On COFOUNDER_REHEARSAL_PORT of this machine; it speaks the Messages API.
    """
    from cofounder_server.agent.rehearsal import server

    settings = _settings()
    asyncio.run(server.serve(settings.rehearsal_port, settings.rehearsal_pace))


@main.command()
@_data_option
def keys(data: Path) -> None:
    """Makes the development keys and tokens.

    Those of a data folder, where they are absent. Refused in production.
    """
    from cofounder_server.identity import machine_keys

    _refuse_in_production()
    machine_keys.ensure_keys(data)


@main.command("dev-token")
@click.option("--user", required=True, help="Whom the token speaks for.")
@click.option("--plan", help="The plan the user shall have: bootstrapper, partner or cto_scale.")
@_data_option
def dev_token(user: str, plan: str | None, data: Path) -> None:
    """Prints a development token.

    It is good for a day. Refused in production.

    \b
    COFOUNDER_TOKEN=$(cofounder-server dev-token --user ada) cofounder builds
    """
    from cofounder_server.clock import WallClock
    from cofounder_server.identity import keys as key_files
    from cofounder_server.identity import tokens

    _refuse_in_production()
    settings = _settings()
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

    port, grpc_port = _port("PORT", 8080), _port("GRPC_PORT", 50051)
    return stack.Options(data=data, port=port, grpc_port=grpc_port, sample=sample, environ=dict(os.environ))


def _port(name: str, default: int) -> int:
    asked = os.environ.get(name) or str(default)
    if not asked.isdecimal() or int(asked) > 65535:
        raise _Misuse(f"{name} is {asked!r}, which is no port. Set it to a number up to 65535; 0 takes a free one.")
    return int(asked)


class _Misuse(click.ClickException):
    exit_code = USAGE


def _settings() -> Settings:
    """Returns the settings; ends the program, with what to change, where one of them is none."""
    try:
        return Settings()
    except ValidationError as error:
        # Without what was set: it may be a secret.
        problems = error.errors(include_input=False, include_url=False)
        raise _Misuse("\n".join(f"{each['loc'][0]}: {each['msg']}" for each in problems)) from None
    except SettingsError:
        raise _Misuse('COFOUNDER_MODELS is no JSON object such as {"default": "model-id"}.') from None


def _shown(default: object) -> str:
    return "not set" if default is None or str(default) in ("", "{}") else str(default)


def _demand_engines(settings: Settings, *names: str) -> None:
    urls = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    if missing := [name for name in names if not urls[name].get_secret_value()]:
        raise _Misuse(
            f"{' and '.join(missing)} must be set: this program starts no engines of its own. "
            "`cofounder-server run` does, on one machine."
        )


def _run_forever(start: Callable[[Settings], Coroutine[Any, Any, None]]) -> None:
    import uvloop

    from cofounder_server import db
    from cofounder_server.app import ground

    settings = _settings()
    _demand_engines(settings, "DATABASE_URL", "REDIS_URL")
    if settings.failpoints:
        raise click.ClickException(
            "COFOUNDER_FAILPOINTS is set, and this program never crashes on purpose. Unset it, or start "
            "`python -m cofounder_server.testing`."
        )
    ground.configure_logs(settings)
    try:
        uvloop.run(start(settings))
    except DependencyUnavailable as fault:
        raise click.ClickException(f"{fault.text} Does it run where DATABASE_URL says?") from fault
    except db.CannotConnectError as fault:
        raise click.ClickException(str(fault)) from fault


def _refuse_in_production() -> None:
    if _settings().production:
        raise click.ClickException(
            "COFOUNDER_ENV is production, where development tokens are refused. Use your identity provider."
        )


if __name__ == "__main__":
    main()
