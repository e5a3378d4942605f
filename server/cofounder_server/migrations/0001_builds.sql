-- Who may do what, where.
create table projects (
  project_id uuid primary key,
  title text not null,
  owner_id text not null,
  -- The caller's own id of the request that made it: a double click makes one project.
  request_id uuid not null,
  create_time timestamptz not null default now(),
  unique (owner_id, request_id)
);

create table project_members (
  project_id uuid not null references projects on delete cascade,
  user_id text not null,
  role text not null check (role in ('viewer', 'editor', 'owner')),
  create_time timestamptz not null default now(),
  primary key (project_id, user_id)
);
create index project_members_by_user on project_members (user_id, project_id);

create table share_links (
  link_id uuid primary key,
  project_id uuid not null references projects on delete cascade,
  -- SHA-256 of the bearer token: the token itself is shown once and kept nowhere.
  token_hash bytea not null unique,
  creator_id text not null,
  expire_time timestamptz not null,
  revoke_time timestamptz,
  create_time timestamptz not null default now()
);
create index share_links_by_project on share_links (project_id, create_time desc);

-- What is known of a user besides their token.
create table user_settings (
  user_id text primary key,
  plan_slug text not null default 'bootstrapper',
  suspended boolean not null default false,
  admin boolean not null default false
);

-- A build as a job: what the queue and the worker need. What a user sees of it is the fold of its log.
create table builds (
  build_id uuid primary key,
  project_id uuid not null references projects,
  creator_id text not null,
  goal text not null,
  request_id uuid not null,
  -- SHA-256 of the request: the same id with another request is a conflict.
  request_hash bytea not null,
  plan_slug text not null,
  scenario text not null,
  budget_microdollars bigint not null,
  rehearsal boolean not null,
  state text not null check (state in
    ('scheduled', 'queued', 'starting', 'running', 'waiting', 'paused', 'succeeded', 'partial', 'failed', 'cancelled')),
  -- The place in the queue, in milliseconds since the epoch less the plan's head start. Kept when re-queued.
  priority bigint not null,
  attempt int not null default 0,
  crashes int not null default 0,
  cancel_user_id text,
  cancel_sequence bigint,
  create_time timestamptz not null default now(),
  start_time timestamptz,
  finish_time timestamptz,
  unique (creator_id, request_id)
);
create index builds_by_project on builds (project_id, build_id desc);
create index builds_alive on builds (priority) where state not in ('succeeded', 'partial', 'failed', 'cancelled');
