-- name: append
-- Appends a batch to each of many builds, and says for each what became of it:
--   ok      appended; `head` is its last sequence
--   busy    somebody else is appending to that build just now: try again
--   moved   the log has another head than the caller expects: look up the append id, renumber, try again
--   fenced  the caller's generation is not the build's: it lost its lease and may append nothing
--   sealed  the terminal event stands: nothing follows it
-- The head is locked with `skip locked`, so two appenders never wait for each other and cannot deadlock. What is read
-- under the lock is the newest version of the row, whatever this statement's snapshot says; `judged` and the update
-- use that version alone.
with batch as (
  select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::int[], $5::uuid[], $6::bytea[], $7::boolean[],
                       $8::bytea[])
    as t (build_id, expected, count, generation, append_id, body, seals, snapshot)
), locked as (
  select build_id, head, generation, sealed from build_heads
   where build_id = any ($1::uuid[])
   order by build_id
     for no key update skip locked
), judged as (
  select batch.*, locked.head,
         case when locked.build_id is null then 'busy'
              when batch.generation is not null and locked.generation <> batch.generation then 'fenced'
              when locked.sealed then 'sealed'
              when locked.head <> batch.expected then 'moved'
              else 'ok' end as verdict
    from batch left join locked using (build_id)
), moved as (
  update build_heads set head = judged.head + judged.count, sealed = judged.seals
    from judged where judged.verdict = 'ok' and build_heads.build_id = judged.build_id
), stored as (
  insert into build_batches (build_id, first_sequence, last_sequence, append_id, body)
  select build_id, head + 1, head + count, append_id, body from judged where verdict = 'ok'
), folded as (
  insert into build_snapshots (build_id, through_sequence, body)
  select build_id, head + count, snapshot from judged where verdict = 'ok' and snapshot is not null
)
select build_id, verdict, case when verdict = 'ok' then head + count else head end as head from judged;

-- name: create_head
insert into build_heads (build_id) values ($1);

-- name: create_fork_head
-- The head of a fork stands where it left its parent.
insert into build_heads (build_id, head, oldest, parent_id, parent_through)
select $1, $3, oldest, build_id, $3 from build_heads where build_id = $2;

-- name: store_snapshot
insert into build_snapshots (build_id, through_sequence, body) values ($1, $2, $3);

-- name: raise_generation
-- Raises the fence and returns it with the head. The row stays locked until the transaction ends.
update build_heads set generation = generation + 1 where build_id = $1 returning generation, head, sealed;

-- name: lock_head
-- Locks the head until the transaction ends: for commands, which decide and append in one.
select head, oldest, generation, sealed, parent_id, parent_through from build_heads where build_id = $1 for no key update;

-- name: find_append
-- Tells where a batch went whose acknowledgement was lost.
select first_sequence, last_sequence from build_batches where append_id = $1;

-- name: read_head
select head, oldest, generation, sealed, parent_id, parent_through from build_heads where build_id = $1;

-- name: poll_heads
select build_id, head, sealed from build_heads where build_id = any ($1::uuid[]);

-- name: read_batches
-- Returns batches that end after $2, in order, until their bodies exceed $3 bytes; the first one always.
select first_sequence, last_sequence, body
  from (select first_sequence, last_sequence, body,
               sum(length(body)) over (order by last_sequence) - length(body) as before
          from (select * from build_batches
                 where build_id = $1 and last_sequence > $2
                 order by last_sequence limit 4096) as nearest) as measured
 where before < $3
 order by last_sequence;

-- name: read_snapshot
-- Returns the newest snapshot, if there is one, and everything after it, as of one moment.
with newest as (
  select through_sequence, body from build_snapshots where build_id = $1 order by through_sequence desc limit 1
), tail as (
  select string_agg(body, ''::bytea order by last_sequence) as body from build_batches
   where build_id = $1 and last_sequence > coalesce((select through_sequence from newest), 0)
)
select head, oldest, sealed, parent_id, parent_through, newest.body as snapshot, tail.body as tail
  from build_heads left join newest on true left join tail on true
 where build_id = $1;

-- name: read_shared
-- Returns the batches of a build's own log that a fork of it shares, the last perhaps beyond what it shares.
select body from build_batches where build_id = $1 and first_sequence <= $2 order by last_sequence;

-- name: read_line
-- Returns a fork and those it comes from, each with how much of its parent's log it shares; the build itself first.
with recursive line as (
  select build_id, parent_id, parent_through, 0 as generation from build_heads where build_id = $1
  union all
  select parent.build_id, parent.parent_id, parent.parent_through, line.generation + 1
    from build_heads as parent join line on parent.build_id = line.parent_id
)
select build_id, parent_through from line order by generation;

-- name: insert_build
insert into builds (build_id, project_id, creator_id, payer_id, goal, request_id, request_hash, plan_slug, scenario,
                    budget_microdollars, rehearsal, state, priority, create_time)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'queued', $12, $13)
on conflict (creator_id, request_id) do nothing
returning build_id;

-- name: count_build
-- Takes one of a day's builds; nothing comes back if there are none left. $3 is the plan's number.
insert into build_days (payer_id, day, builds) select $1, $2, 1 where $3 <> 0
on conflict (payer_id, day) do update set builds = build_days.builds + 1
 where $3 < 0 or build_days.builds < $3
returning day;

-- name: uncount_build
-- Gives a day's build back: it was cancelled before it began.
with given_back as (update builds set count_day = null where build_id = $1 and count_day is not null
                    returning payer_id, (select count_day from builds where build_id = $1) as day)
update build_days set builds = builds - 1 from given_back
 where build_days.payer_id = given_back.payer_id and build_days.day = given_back.day;

-- name: set_day
update builds set count_day = $2 where build_id = $1;

-- name: schedule_build
update builds set state = 'scheduled', start_after = $2, priority = $3 where build_id = $1;

-- name: find_request
select build_id, request_hash from builds where creator_id = $1 and request_id = $2;

-- name: read_build
select builds.*, generation from builds join build_heads using (build_id) where build_id = $1;

-- name: lock_build
-- Locks the row. `generation` is as of the statement's start: lock the head for the one that holds.
select builds.*, generation from builds join build_heads using (build_id) where build_id = $1 for update of builds;

-- name: list_builds
-- Newest first. A UUIDv7 sorts by its time.
select builds.*, head, oldest from builds join build_heads using (build_id)
 where project_id = any ($1::uuid[]) and ($2::uuid is null or build_id < $2)
 order by build_id desc limit $3;

-- name: count_waiting
select count(*) from builds where state = 'queued';

-- name: start_attempt
update builds set state = 'starting', attempt = attempt + 1, start_time = coalesce(start_time, $2), lease_owner = $3
 where build_id = $1;

-- name: mark_running
-- The attempt of this generation began its first stage. Of an attempt that lost its lease it changes nothing.
update builds set state = 'running'
 where build_id = $1 and state = 'starting'
   and exists (select from build_heads where build_heads.build_id = $1 and generation = $2);

-- name: leave_worker
-- Puts a build that a worker held into another state. `$5` says why the next attempt will not be the first.
update builds set state = $2, crashes = crashes + $3, start_after = $4, attempt_reason = $5, lease_owner = null
 where build_id = $1;

-- name: enqueue_build
update builds set state = 'queued', start_after = null where build_id = $1;

-- name: finish_build
update builds set state = $2, finish_time = $3, lease_owner = null, start_after = null where build_id = $1;

-- name: bury_build
update builds set dead_letter_time = $2 where build_id = $1;

-- name: exhume_build
update builds set dead_letter_time = null where build_id = $1;

-- name: request_cancel
update builds set cancel_user_id = $2, cancel_sequence = $3 where build_id = $1;

-- name: list_idle_threads
-- The threads of checkpoints whose build is over or gone, and from which nothing goes on: no dead letter, and no fork
-- that may still begin with them. A worker that lost its build may write a little more: so they
-- are looked for in all tables of the saver.
select distinct thread_id
  from (select thread_id from checkpoints union
        select thread_id from checkpoint_blobs union
        select thread_id from checkpoint_writes) as threads
  left join builds on builds.build_id::text = split_part(thread_id, ':', 1)
 where builds.build_id is null
    or (builds.state in ('succeeded', 'partial', 'failed', 'cancelled') and builds.dead_letter_time is null
        and not exists (select from build_heads where parent_id = builds.build_id and not sealed));

-- name: list_alive
-- Every build that the queue must know, with what the index needs.
select build_id, project_id, payer_id, plan_slug, priority, state, lease_owner from builds
 where state in ('queued', 'starting', 'running') order by priority, build_id;

-- name: list_unfinished
-- Every build that is not over, in the order of the queue.
select build_id, project_id, payer_id, plan_slug, priority, state, create_time, start_after from builds
 where state not in ('succeeded', 'partial', 'failed', 'cancelled') order by priority, build_id;

-- name: list_due
-- Builds whose time to join the queue has come.
select build_id from builds where state in ('scheduled', 'waiting') and start_after <= $1 order by start_after limit 500;

-- name: list_dead
-- The dead letters, newest first.
select builds.*, generation from builds join build_heads using (build_id)
 where dead_letter_time is not null order by dead_letter_time desc limit $1;
