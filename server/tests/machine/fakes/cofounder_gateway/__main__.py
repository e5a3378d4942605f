"""The gateway: answers its health."""

import os

import record

record.until_asked_to_end("gateway", lambda: record.listen_http(int(os.environ["PORT"])))
