"""A server: gRPC for everybody, and the sweeper beside it."""

from cofounder_server.app.ground import Ground, Seams, ground, running, until_told_to_stop
from cofounder_server.builds.board import Board
from cofounder_server.builds.forecasts import Forecasts
from cofounder_server.builds.start import Starter
from cofounder_server.builds.views import Views
from cofounder_server.identity.accounts import Accounts, Door
from cofounder_server.identity.keys import development_key
from cofounder_server.identity.links import ShareLinks
from cofounder_server.identity.tokens import DevelopmentVerifier
from cofounder_server.rpc import serve as edge
from cofounder_server.rpc import services
from cofounder_server.settings import Settings
from cofounder_server.usage.prices import PriceTable
from cofounder_server.usage.watch import UsageWatches
from cofounder_server.worker.close import Closer
from cofounder_server.worker.sweep import Sweeper

# A server answers many small reads at once.
CONNECTIONS = 20


async def serve(settings: Settings, seams: Seams | None = None) -> None:
    """Serves gRPC until SIGTERM or SIGINT, then drains: watchers are told to resume elsewhere.

    Raises:
        KeyUnusableError, CannotListenError: With what to change.
    """
    key = development_key(production=settings.production, key_file=settings.key_file, data=settings.data)
    async with (
        ground(settings, seams or Seams(), connections=CONNECTIONS) as base,
        Views(Board(base.pool, Forecasts(base.pool), base.clock), base.watches) as views,
        UsageWatches(base.pool, base.clock) as usage,
    ):
        parts = services.Parts(
            pool=base.pool,
            wall=base.clock,
            builds=base.builds,
            starter=Starter(
                base.pool,
                base.log,
                base.publisher,
                base.queue,
                base.clock,
                rehearsal=settings.rehearsal,
                max_queued=settings.max_queued,
                day_spread_seconds=settings.day_spread_seconds,
            ),
            transitions=base.transitions,
            log=base.log,
            watches=base.watches,
            views=views,
            usage=usage,
        )
        door = Door(
            DevelopmentVerifier(key.public_key(), wall=base.clock),
            ShareLinks(base.pool, wall=base.clock),
            Accounts(base.pool),
        )
        with until_told_to_stop() as stop:
            async with (
                running(_sweeper(base).run(), name="sweeper"),
                running(_closer(base).run(), name="closer"),
                running(base.watches.ended(), name="head poll's end"),
            ):
                await edge.serve(
                    services.compose(
                        parts,
                        progress_seconds=settings.progress_seconds,
                        reauthorize_seconds=settings.reauthorize_seconds,
                        development_key=key,
                    ),
                    door,
                    edge=_edge(settings),
                    stop=stop,
                )


def _sweeper(base: Ground) -> Sweeper:
    return Sweeper(
        base.pool,
        base.transitions,
        base.queue,
        base.clock,
        sweep_seconds=base.settings.sweep_seconds,
        lease_seconds=base.settings.lease_seconds,
        max_crashes=base.settings.max_crashes,
    )


def _closer(base: Ground) -> Closer:
    prices = PriceTable.load(base.settings.prices_file)
    return Closer(base.ledger, base.log, prices, base.clock, sweep_seconds=base.settings.sweep_seconds)


def _edge(settings: Settings) -> edge.Edge:
    return edge.Edge(
        host=settings.host,
        port=settings.grpc_port,
        production=settings.production,
        drain_seconds=settings.drain_seconds,
        call_seconds=settings.call_seconds,
        write_seconds=settings.write_seconds,
        max_message_bytes=settings.max_message_bytes,
        max_streams_per_user=settings.max_streams_per_user,
        max_calls_per_second=settings.max_calls_per_second,
    )
