"""The testing entry point: `python -m cofounder_server.testing serve|work`, with failpoints armed."""

import click
import uvloop

from cofounder_server.app import ground, server, worker
from cofounder_server.settings import Settings
from cofounder_server.testing.failpoints import Armed, parse


@click.command()
@click.argument("program", type=click.Choice(["serve", "work"]))
def main(program: str) -> None:
    """Runs PROGRAM as `cofounder-server` does, with the failpoints of COFOUNDER_FAILPOINTS. Never in production."""
    settings = Settings()
    if settings.production:
        raise click.ClickException("COFOUNDER_ENV is production, where no failpoint may be armed.")
    try:
        armed = Armed(parse(settings.failpoints))
    except ValueError as fault:
        raise click.ClickException(str(fault)) from fault
    ground.configure_logs(settings)
    seams = armed.seams()
    uvloop.run(server.serve(settings, seams) if program == "serve" else worker.work(settings, seams, armed.hands()))


if __name__ == "__main__":
    main()
