"""The CLI: prints what it was asked to build and ends with FAKE_CLI_EXIT, or goes on until it is interrupted."""

import os
import sys

import record

print("building", sys.argv[2], flush=True)
if "FAKE_CLI_EXIT" in os.environ:
    record.note("cli", "started")
    sys.exit(int(os.environ["FAKE_CLI_EXIT"]))
record.until_asked_to_end("cli")
