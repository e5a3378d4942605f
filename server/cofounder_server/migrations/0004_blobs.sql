-- Blobs, where no bucket is configured. Only blobs/postgres.py writes this table.
create table blobs (
  -- SHA-256 of the body. What it names never changes.
  address bytea primary key check (length(address) = 32),
  body bytea not null,
  create_time timestamptz not null default now()
);
