"""The test kit's command line: `python -m cofounder_testkit`."""

import asyncio
import random
import sys
import tempfile
from pathlib import Path
from statistics import median

import click

from cofounder_server.builds.forecasts import judge
from cofounder_testkit import eta as etas
from cofounder_testkit import scenes
from cofounder_testkit.checker import PromiseBroken


@click.group()
def main() -> None:
    """Holds a stack, started for the purpose, against the promises of a watch."""


@main.command()
@click.option("--pace", default=0.02, show_default=True, help="Seconds between two pieces of the scripted model.")
@click.option("--seed", type=int, help="Decides where the websocket is cut. Default: any.")
def watchers(pace: float, seed: int | None) -> None:
    """One build watched at once in five ways: are all records whole and equal?"""
    chosen = random.randrange(10_000) if seed is None else seed
    _play(lambda data: scenes.watchers(data, click.echo, pace=pace, seed=chosen))


@main.command()
@click.option("--pace", default=0.02, show_default=True, help="Seconds between two pieces of the scripted model.")
def kills(pace: float) -> None:
    """Worker, server and gateway killed with -9 in mid-build: does every record pass?"""
    _play(lambda data: scenes.kills(data, click.echo, pace=pace))


@main.command()
@click.option("--builds", default=200, show_default=True, help="How many builds are foretold, each time.")
@click.option("--times", default=5, show_default=True, help="How many queues are played.")
@click.option("--seed", default=1, show_default=True, help="The first queue's; the others have the next ones.")
def eta(builds: int, times: int, seed: int) -> None:
    """Do the likely starts of waiting builds hold? A queue in virtual time, foretold by the server's own core."""
    for number in range(seed, seed + times):
        found = etas.measure(builds=builds, seed=number)
        result, waited = judge(found), median(each.waited for each in found)
        click.echo(
            f"seed {number}: {result.share:.1%} of {builds} builds started before their eta_late (promised: 90%), "
            f"median error {result.median_error:.0f} s, median wait {waited:.0f} s"
        )


def _play(scene: "scenes.Scene") -> None:
    with tempfile.TemporaryDirectory(prefix="cofounder-") as folder:
        try:
            asyncio.run(scene(Path(folder) / "data"))
        except PromiseBroken as broken:
            click.echo(f"broken: {broken}", err=True)
            sys.exit(1)


if __name__ == "__main__":
    main()
