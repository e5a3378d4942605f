-- The ledger: every attempt to have a model answer, what was set aside for it, and what it came to.

create table usage_logs (
  -- The attempt. Made before the request leaves; events of the build's log name it.
  ledger_id uuid primary key,
  -- Whose limits it counts against, and on whose behalf it was made.
  payer_id text not null,
  user_id text not null,
  project_id uuid not null,
  -- Null for the interview.
  build_id uuid,
  stage text not null,
  role text not null,
  model text not null,
  -- The build's attempt, and the call as the build's log names it.
  attempt int not null,
  generation_id text not null,
  -- The UTC day of the reservation: the call belongs to it, whenever it is settled.
  day date not null,
  price_version text not null,
  -- What of `reserved_tokens` was counted for what the model is to read: the estimate of an answer nobody saw.
  counted_tokens bigint not null check (counted_tokens >= 0),
  reserved_tokens bigint not null check (reserved_tokens >= 0),
  reserved_microdollars bigint not null check (reserved_microdollars >= 0),
  -- open: set aside. Then exactly one of: settled (the provider's count), estimated (ours), released (nothing was
  -- asked of the provider). An estimate of the sweeper's may still be replaced by the count, once.
  state text not null check (state in ('open', 'settled', 'estimated', 'released')),
  -- True from just before the request leaves: what is swept after that is booked and not given back.
  asked boolean not null default false,
  swept boolean not null default false,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cache_read_tokens bigint not null default 0,
  cache_write_5m_tokens bigint not null default 0,
  cache_write_1h_tokens bigint not null default 0,
  cost_microdollars bigint not null default 0 check (cost_microdollars >= 0),
  -- True if the user does not pay: an attempt that failed by our fault or the provider's.
  platform_borne boolean not null default false,
  -- By how much it came to more than was set aside.
  overrun_microdollars bigint not null default 0,
  outcome text not null default '',
  provider_request_id text not null default '',
  create_time timestamptz not null,
  expire_time timestamptz not null,
  settle_time timestamptz
);
create index usage_logs_open on usage_logs (expire_time) where state = 'open';
create index usage_logs_by_payer on usage_logs (payer_id, day, ledger_id);
create index usage_logs_by_build on usage_logs (build_id, ledger_id) where build_id is not null;

-- What is spent and set aside, for each limit there may be: of a user's day, of a build, of everybody's day. Always
-- the sum of the rows above; kept beside them so that one row's lock decides an admission.
create table usage_counters (
  scope text not null check (scope in ('build', 'global', 'user')),
  key text not null,
  day date not null,
  spent_tokens bigint not null default 0,
  reserved_tokens bigint not null default 0 check (reserved_tokens >= 0),
  spent_microdollars bigint not null default 0,
  reserved_microdollars bigint not null default 0 check (reserved_microdollars >= 0),
  primary key (scope, key, day)
) with (fillfactor = 50);

-- What was given back: the ledger's other side.
create table usage_credits (
  ledger_id uuid primary key,
  payer_id text not null,
  build_id uuid,
  day date not null,
  amount_microdollars bigint not null check (amount_microdollars > 0),
  -- Names what is given back, so that it is given back once.
  cause text not null unique,
  reason text not null,
  create_time timestamptz not null
);

alter table plans
  -- A model for each role that the plan decides on: {"coder": "claude-sonnet-5-5"}.
  add column default_models jsonb not null default '{}';
alter table user_settings
  add column override_models jsonb not null default '{}',
  -- Tokens a day in place of the plan's; -1 without limit, 0 as the plan says.
  add column override_tokens_per_day bigint not null default 0;

-- Who changed whose settings, from what to what, and why.
create table settings_changes (
  change_id uuid primary key,
  user_id text not null,
  admin_id text not null,
  reason text not null,
  former jsonb not null,
  present jsonb not null,
  create_time timestamptz not null
);
create index settings_changes_by_user on settings_changes (user_id, change_id desc);
