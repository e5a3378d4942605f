"""A parent that runs both engines over a data folder, says their process ids, and goes on until it is ended."""

import asyncio
import json
import sys
from pathlib import Path

import asyncpg

from cofounder_server.machine.postgres import EmbeddedPostgres
from cofounder_server.machine.valkey import EmbeddedValkey


async def main(data: Path, pg_bin: str | None) -> None:
    async with EmbeddedPostgres(data, pg_bin=pg_bin) as postgres, EmbeddedValkey(data) as valkey:
        connection = await asyncpg.connect(postgres.dsn)
        await connection.execute("create table if not exists seen (n int); insert into seen values (1)")
        print(json.dumps({"postgres": postgres.pid, "valkey": valkey.pid}), flush=True)
        await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
