-- Plans, and what the queue needs to know of a build.

-- What each plan gives. An operator may change a row at any time, without a deploy; -1 stands for no limit.
create table plans (
  plan_slug text primary key,
  price_microdollars bigint not null,
  builds_a_day int not null,
  concurrent_user int not null,
  concurrent_project int not null,
  tokens_a_day bigint not null,
  head_start_seconds int not null
);
insert into plans values
  ('bootstrapper', 0, 5, 2, 2, 500000, 0),
  ('partner', 299000000, 50, 3, 3, 2000000, 300),
  ('cto_scale', 999000000, 200, 10, 5, 10000000, 600);

alter table builds
  -- Whose plan it runs under and whose permits it takes: the owner of the project when it was accepted.
  add column payer_id text,
  -- The UTC day whose allowance it takes, until it is given back by a cancellation before the start.
  add column count_day date,
  -- When a scheduled build, or a waiting one that waits for a time, joins the queue.
  add column start_after timestamptz,
  -- The token of the lease under which it runs, so that an emptied index can be made again.
  add column lease_owner text,
  -- Why the next attempt is not the first: a number of AttemptReason.
  add column attempt_reason int not null default 0,
  -- When it was given up after too many lost workers. It stays in the dead letters until an operator replays it.
  add column dead_letter_time timestamptz;
update builds set payer_id = owner_id from projects where projects.project_id = builds.project_id;
alter table builds alter column payer_id set not null;
create index builds_by_start on builds (start_after) where state in ('scheduled', 'waiting');
create index builds_dead on builds (dead_letter_time desc) where dead_letter_time is not null;

-- How many builds were accepted for each day of a payer.
create table build_days (
  payer_id text not null,
  day date not null,
  builds int not null,
  primary key (payer_id, day)
);

-- The workers there are. One that was not seen for a while is gone.
create table workers (
  worker_id text primary key,
  slots int not null,
  -- True once an operator asked it to take no more builds.
  draining boolean not null default false,
  seen_time timestamptz not null
);

-- A fork reads its parent's log up to `parent_through`, and its own from there.
alter table build_heads
  add column parent_id uuid references build_heads on delete cascade,
  add column parent_through bigint not null default 0;
create index build_heads_by_parent on build_heads (parent_id) where parent_id is not null;
