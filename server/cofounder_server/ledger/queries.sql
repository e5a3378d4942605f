-- name: reserve
-- Sets the most that an attempt may come to aside in every limit it must fit into, and opens its row: all or nothing.
-- Counters are locked in one order, and what is read under the lock is their newest version. One row comes back for
-- each limit; `missing` asks to make the counter and to try again.
with wanted as (
  select * from unnest($1::text[], $2::text[], $3::date[], $4::bigint[], $5::bigint[])
    as t (scope, key, day, most_tokens, most_microdollars)
), locked as (
  select usage_counters.* from usage_counters join wanted using (scope, key, day)
   order by scope, key, day for update of usage_counters
), judged as (
  select wanted.*, spent_tokens, reserved_tokens, spent_microdollars, reserved_microdollars,
         case when locked.scope is null then 'missing'
              when (most_tokens >= 0 and spent_tokens + $6 > most_tokens)
                or (most_microdollars >= 0 and spent_microdollars + $7 > most_microdollars) then 'reached'
              when (most_tokens >= 0 and spent_tokens + reserved_tokens + $6 > most_tokens)
                or (most_microdollars >= 0 and spent_microdollars + reserved_microdollars + $7 > most_microdollars)
                then 'in_flight'
              else 'ok' end as verdict
    from wanted left join locked using (scope, key, day)
), granted as (
  select bool_and(verdict = 'ok') as yes from judged
), held as (
  update usage_counters
     set reserved_tokens = judged.reserved_tokens + $6, reserved_microdollars = judged.reserved_microdollars + $7
    from judged, granted
   where granted.yes and (usage_counters.scope, usage_counters.key, usage_counters.day)
                         = (judged.scope, judged.key, judged.day)
), opened as (
  insert into usage_logs (ledger_id, payer_id, user_id, project_id, build_id, stage, role, model, attempt,
                          generation_id, day, price_version, reserved_tokens, reserved_microdollars, state,
                          create_time, expire_time, counted_tokens)
  select $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $6, $7, 'open', $20, $21, $22 from granted where yes
)
select scope, key, day, verdict, spent_tokens, reserved_tokens, spent_microdollars, reserved_microdollars from judged;

-- name: make_counters
insert into usage_counters (scope, key, day) select * from unnest($1::text[], $2::text[], $3::date[])
on conflict do nothing;

-- name: mark_asked
-- The request is about to leave. Nothing comes back if the attempt is no longer open: it must not leave then.
update usage_logs set asked = true where ledger_id = $1 and state = 'open' returning ledger_id;

-- name: lock_attempt
select * from usage_logs where ledger_id = $1 for update;

-- name: lock_counters
select scope from usage_counters
 where (scope, key, day) in (select * from unnest($1::text[], $2::text[], $3::date[]))
 order by scope, key, day for update;

-- name: close_attempt
update usage_logs
   set state = $2, model = $3, input_tokens = $4, output_tokens = $5, cache_read_tokens = $6,
       cache_write_5m_tokens = $7, cache_write_1h_tokens = $8, cost_microdollars = $9, platform_borne = $10,
       outcome = $11, provider_request_id = $12, overrun_microdollars = $13, swept = $14, settle_time = $15
 where ledger_id = $1;

-- name: move_counters
-- Moves counters by what an attempt's closing changes: what was set aside goes, what was spent comes.
update usage_counters
   set reserved_tokens = reserved_tokens - $4, reserved_microdollars = reserved_microdollars - $5,
       spent_tokens = spent_tokens + $6, spent_microdollars = spent_microdollars + $7
 where (scope, key, day) in (select * from unnest($1::text[], $2::text[], $3::date[]));

-- name: list_expired
-- Attempts whose time is over and that nobody closed.
select ledger_id, build_id, generation_id, asked, model, counted_tokens, create_time from usage_logs
 where state = 'open' and expire_time <= $1 order by expire_time limit $2;

-- name: read_counters
select scope, key, day, spent_tokens, reserved_tokens, spent_microdollars, reserved_microdollars from usage_counters
 where (scope, key, day) in (select * from unnest($1::text[], $2::text[], $3::date[]));

-- name: read_attempt
select * from usage_logs where ledger_id = $1;
