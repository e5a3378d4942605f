"""The server's commands: keys, migrate, rehearsal-model, serve, work. FAKE_BROKEN names one that fails."""

import os
import sys

import record

name = sys.argv[1]
if os.environ.get("FAKE_BROKEN") == name:
    record.note(name, "failed")
    sys.exit(f"{name} cannot find the moon")
if name in {"keys", "migrate"}:
    record.note(name, "started")
elif name == "serve":
    record.until_asked_to_end(name, lambda: record.listen(int(os.environ["GRPC_PORT"])))
elif name == "rehearsal-model":
    record.until_asked_to_end(name, lambda: record.listen(int(os.environ["COFOUNDER_REHEARSAL_PORT"])))
else:
    record.until_asked_to_end(name, record.say_ready)
