"""`cofounder-server queue`: what an operator sees of the queue, and does to it."""

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import click

from cofounder_server import stores

if TYPE_CHECKING:
    from cofounder_server.app.operator import Operator, Picture

Answer = TypeVar("Answer")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
MOST_ROWS = 20

EMPTY = {
    "waiting": "nothing waits",
    "leases": "no build is held",
    "permits": "nobody holds a permit",
    "workers": "no worker is there: start one with `cofounder-server work`",
    "dead_letters": "none",
}


@click.group("queue", invoke_without_command=True)
@AS_JSON
@click.pass_context
def queue(context: click.Context, as_json: bool) -> None:
    """Shows the queue.

    What waits and why, leases, permits, workers, dead letters.

    \b
    cofounder-server queue                    look
    cofounder-server queue drain WORKER       it finishes what it has and takes no more
    cofounder-server queue requeue BUILD      take it from its worker, at its old place
    cofounder-server queue replay BUILD       a dead letter goes on, as a fork

    Works on DATABASE_URL and REDIS_URL; without them, on the stack over $COFOUNDER_DATA (or .cofounder).
    """
    if context.invoked_subcommand is not None:
        return
    picture = _with_operator(lambda operator: operator.picture())
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(picture), default=str))
    else:
        click.echo(_drawn(picture))


@queue.command()
@click.argument("worker")
def drain(worker: str) -> None:
    """Has WORKER, or `all`, finish what it has and take no more builds."""
    _tell_workers(worker, draining=True)


@queue.command()
@click.argument("worker")
def resume(worker: str) -> None:
    """Has WORKER, or `all`, take builds again."""
    _tell_workers(worker, draining=False)


@queue.command()
@click.argument("build", type=click.UUID)
def requeue(build: UUID) -> None:
    """Takes BUILD from its worker, or from the time it waits for, and puts it back to its place in the queue.

    Nothing counts as a crash. The worker that had it can append nothing more.
    """
    _with_operator(lambda operator: operator.requeue(build))
    click.echo(f"{build} waits in the queue")


@queue.command()
@click.argument("build", type=click.UUID)
@AS_JSON
def replay(build: UUID, as_json: bool) -> None:
    """Has the dead letter BUILD go on as a fork from its last finished stage.

    Nothing follows a terminal event, so the fork is a build of its own that shares the log so far. It takes none of
    the day's builds. Replayed twice, it is one fork.
    """
    fork, through = _with_operator(lambda operator: operator.replay(build))
    if as_json:
        click.echo(json.dumps({"build_id": str(fork), "origin": {"build_id": str(build), "sequence": through}}))
    else:
        click.echo(f"{build} goes on as {fork}, from event {through}")


@queue.command()
def rebuild() -> None:
    """Makes the index in Redis again from Postgres, if it is lost. Workers and servers do so by themselves."""
    made = _with_operator(lambda operator: operator.rebuild())
    click.echo("the index was made again" if made else "the index is there; nothing was changed")


def _tell_workers(worker: str, *, draining: bool) -> None:
    heard = _with_operator(lambda operator: operator.drain(worker, draining=draining))
    if not heard:
        raise click.ClickException(f"There is no worker {worker}. `cofounder-server queue` lists them.")
    click.echo(f"{heard} told to {'take no more builds' if draining else 'take builds'}; it takes a moment")


def _with_operator(act: "Callable[[Operator], Awaitable[Answer]]") -> Answer:
    from cofounder_server import errors
    from cofounder_server.app import ground, operator

    settings = stores.settings("DATABASE_URL", "REDIS_URL")
    ground.configure_logs(settings)

    async def run() -> Answer:
        async with operator.at_work(settings) as person:
            return await act(person)

    try:
        return asyncio.run(run())
    except errors.CofounderError as fault:
        raise click.ClickException(fault.text) from fault


def _drawn(picture: "Picture") -> str:
    states = ", ".join(f"{count} {state}" for state, count in sorted(picture.states.items())) or "no build is under way"
    parts = [states if picture.index_built else f"{states}\nthe index in Redis is lost and is about to be made again"]
    for name in ("waiting", "leases", "permits", "workers", "dead_letters"):
        parts += ["", name.replace("_", " ").upper(), *_table(getattr(picture, name), EMPTY[name])]
    return "\n".join(parts)


def _table(rows: Sequence[Mapping[str, Any]], empty: str) -> list[str]:
    if not rows:
        return [f"  {empty}"]
    shown = [[_cell(value) for value in row.values()] for row in rows[:MOST_ROWS]]
    heads = [name.replace("_", " ") for name in rows[0]]
    widths = [max(len(line[place]) for line in [heads, *shown]) for place in range(len(heads))]
    lines = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [heads, *shown]
    ]
    if len(rows) > MOST_ROWS:
        lines.append(f"  … and {len(rows) - MOST_ROWS} more; --json shows all")
    return lines


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:%F %T}" if hasattr(value, "strftime") else str(value)
