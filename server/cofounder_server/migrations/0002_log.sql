-- The log. Only builds/log.py writes these tables.

-- One row a build, locked by every append: the head decides the next sequence, the generation is the fence.
create table build_heads (
  build_id uuid primary key references builds on delete cascade,
  head bigint not null default 0,
  -- The oldest sequence that can still be read.
  oldest bigint not null default 1,
  -- Raised in the transaction that appends AttemptStarted, and by the sweeper: an append under a former one is refused.
  generation int not null default 0,
  -- True once the terminal event stands: nothing follows it.
  sealed boolean not null default false
) with (fillfactor = 50);

-- One row a batch: events already encoded as WatchBuildResponse.events, tags included.
create table build_batches (
  build_id uuid not null references build_heads on delete cascade,
  first_sequence bigint not null,
  last_sequence bigint not null,
  -- Made once for each batch, so that an append whose acknowledgement was lost can be found.
  append_id uuid not null,
  body bytea not null,
  primary key (build_id, last_sequence),
  check (first_sequence <= last_sequence)
);
create unique index build_batches_by_append on build_batches (append_id);
-- Bodies are many small encodings of text: compressing each costs more than it saves.
alter table build_batches alter column body set storage external;

-- Folds of the log, so that opening a long build costs the screen and not its history.
create table build_snapshots (
  build_id uuid not null references build_heads on delete cascade,
  through_sequence bigint not null,
  body bytea not null,
  primary key (build_id, through_sequence)
);
