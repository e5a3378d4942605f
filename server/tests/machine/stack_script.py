"""Runs the real stack over stand-ins for the programs: `run|demo DATA PORT GRPC_PORT SAMPLE`."""

import asyncio
import os
import sys
from pathlib import Path

from cofounder_server.machine import stack

mode, data, port, grpc_port, sample = sys.argv[1:]
options = stack.Options(
    data=Path(data),
    port=int(port),
    grpc_port=int(grpc_port),
    sample=sample == "yes",
    environ={**os.environ, "PYTHONPATH": str(Path(__file__).parent / "fakes")},
)
sys.exit(asyncio.run(stack.run(options) if mode == "run" else stack.demo("A tiny idea", options)))
