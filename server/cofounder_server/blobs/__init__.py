"""Blobs: bytes under the SHA-256 of what they hold, in Postgres or in S3."""
