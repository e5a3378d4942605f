"""The test kit's command line: `python -m cofounder_testkit`."""

import asyncio
import contextlib
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median

import click

from cofounder_server.builds.forecasts import judge
from cofounder_server.telemetry import logs
from cofounder_testkit import eta as etas
from cofounder_testkit import guards, many_jobs, matrix, redis_lost, scenes
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


@main.command("kill-matrix")
@click.option("--only", default="", help="Cells whose name begins so: worker/kill9/log.append.after, postgres/stop.")
@click.option("--sample", default=0, help="Play so many of them. Default: all.")
@click.option("--seed", default=0, show_default=True, help="Decides which.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON in the end, and nothing else.")
@click.option("--data", type=click.Path(path_type=Path), help="Keep data and logs in this folder.")
def kill_matrix(only: str, sample: int, seed: int, as_json: bool, data: Path | None) -> None:
    """Every victim, struck in every way, at every moment of a build: does every promise hold?"""
    choice = matrix.Choice(only=only, sample=sample, seed=seed)
    say = partial(click.echo, err=as_json)
    with _folder(data) as folder:
        outcomes = asyncio.run(matrix.play(folder, choice, say))
    if as_json:
        click.echo(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))
    sys.exit(any(outcome.broken for outcome in outcomes))


@main.command("redis-lost")
@click.option("--builds", default=200, show_default=True, help="How many are queued.")
@click.option("--away", default=60.0, show_default=True, help="For how many seconds Redis is down.")
@click.option("--seed", default=0, show_default=True, help="Decides who orders.")
def redis_lost_(builds: int, away: float, seed: int) -> None:
    """Redis emptied, put back from an old snapshot, away: is a build lost, or played without a permit?"""
    with _folder(None) as folder:
        outcomes = asyncio.run(redis_lost.play(folder, click.echo, builds=builds, away_seconds=away, seed=seed))
    sys.exit(any(outcome.broken for outcome in outcomes))


@main.command("many-jobs")
@click.option("--jobs", default=1000, show_default=True)
@click.option("--users", default=50, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Decides who orders when.")
def many_jobs_(jobs: int, users: int, seed: int) -> None:
    """Many jobs of three plans over four workers: permits, order, waiting; and the same without each guard."""
    with _folder(None) as folder:
        outcome = asyncio.run(many_jobs.play(folder / "jobs", jobs=jobs, users=users, seed=seed))
        click.echo(many_jobs.lines(outcome))
        sound = outcome.broken is None
        for number, guard in enumerate(guards.GUARDS):
            shown = asyncio.run(guards.show(guard, folder / f"guard-{number}"))
            click.echo(guards.line(shown))
            sound = sound and shown.holds
    sys.exit(not sound)


@contextlib.contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    """Gives the folder, or a short-lived one, and keeps quiet about what is lost on purpose."""
    logs.configure(level="ERROR", scrub=str)
    if chosen is not None:
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="cofounder-") as made:
        yield Path(made)


def _play(scene: "scenes.Scene") -> None:
    with tempfile.TemporaryDirectory(prefix="cofounder-") as folder:
        try:
            asyncio.run(scene(Path(folder) / "data"))
        except PromiseBroken as broken:
            click.echo(f"broken: {broken}", err=True)
            sys.exit(1)


if __name__ == "__main__":
    main()
