-- name: read_payer
-- Who pays, as of now: nobody is refused for having no row yet.
select $1 as user_id, coalesce(plan_slug, $2) as plan_slug, coalesce(suspended, false) as suspended,
       coalesce(admin, false) as admin, coalesce(override_models, '{}') as override_models,
       coalesce(override_tokens_per_day, 0) as override_tokens_per_day
  from (select) as one left join user_settings on user_id = $1;

-- name: read_today
-- What each of some users has used of a day, and what counts besides their plan, as of now.
with asked as (
  select * from unnest($1::text[]) as t (user_id)
), running as (
  select payer_id, count(*) as builds from builds where state in ('starting', 'running') group by payer_id
), given_back as (
  select payer_id, sum(amount_microdollars)::bigint as microdollars from usage_credits
   where payer_id = any ($1) and day = $2 group by payer_id
)
select asked.user_id, coalesce(plan_slug, $3) as plan_slug,
       coalesce(override_tokens_per_day, 0) as override_tokens_per_day,
       coalesce(spent_tokens, 0) as spent_tokens, coalesce(reserved_tokens, 0) as reserved_tokens,
       greatest(0, coalesce(spent_microdollars, 0) - coalesce(given_back.microdollars, 0)) as spent_microdollars,
       coalesce(reserved_microdollars, 0) as reserved_microdollars,
       coalesce(build_days.builds, 0) as builds, coalesce(running.builds, 0) as running
  from asked
  left join user_settings using (user_id)
  left join usage_counters on scope = 'user' and key = asked.user_id and usage_counters.day = $2
  left join build_days on build_days.payer_id = asked.user_id and build_days.day = $2
  left join running on running.payer_id = asked.user_id
  left join given_back on given_back.payer_id = asked.user_id;

-- name: summarize
-- What a payer's calls of some days came to, by day, model, role or build. What the platform bears is left out. What
-- was given back is taken off where it belongs; no model and no role has it, so there it stands for itself. Of more
-- than $5 keys the dearest have a row of their own.
with calls as (
  select case $4 when 'day' then day::text when 'model' then model when 'role' then role
                 else coalesce(build_id::text, '') end as key,
         1 as calls, cost_microdollars as cost,
         input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens as tokens
    from usage_logs
   where payer_id = $1 and day between $2 and $3 and state in ('settled', 'estimated') and not platform_borne
  union all
  select case $4 when 'day' then day::text when 'build' then coalesce(build_id::text, '') else '(credits)' end,
         0, -amount_microdollars, 0
    from usage_credits where payer_id = $1 and day between $2 and $3
), sums as (
  select key, sum(calls) as calls, sum(tokens) as tokens, sum(cost) as cost,
         row_number() over (order by sum(cost) desc, key) as place
    from calls group by key
)
select case when place <= $5 then key else '(other)' end as key, sum(calls)::bigint as calls,
       sum(tokens)::bigint as tokens, sum(cost)::bigint as cost_microdollars
  from sums group by 1 order by 1;

-- name: list_records
-- A payer's calls before a place in the ledger, newest first; only those of a build, if one is named.
select ledger_id, generation_id, build_id, project_id, model, role, input_tokens, output_tokens, cache_read_tokens,
       cache_write_5m_tokens, cache_write_1h_tokens, cost_microdollars, price_version, state = 'estimated' as estimated,
       platform_borne, create_time, day
  from usage_logs
 where payer_id = $1 and (day, ledger_id) < ($2, $3) and ($4::uuid is null or build_id = $4)
   and state in ('settled', 'estimated')
 order by day desc, ledger_id desc limit $5;

-- name: export_records
-- A payer's calls of some days after a place in the ledger, oldest first.
select ledger_id, generation_id, build_id, project_id, model, role, input_tokens, output_tokens, cache_read_tokens,
       cache_write_5m_tokens, cache_write_1h_tokens, cost_microdollars, price_version, state = 'estimated' as estimated,
       platform_borne, create_time, day
  from usage_logs
 where payer_id = $1 and day <= $4 and (day, ledger_id) > ($2, $3) and state in ('settled', 'estimated')
 order by day, ledger_id limit $5;

-- name: make_settings
-- Whoever has none yet gets the settings they are treated by.
insert into user_settings (user_id, plan_slug) values ($1, $2) on conflict (user_id) do nothing;

-- name: lock_settings
select user_id, plan_slug, suspended, admin, override_models, override_tokens_per_day from user_settings
 where user_id = $1 for update;

-- name: set_settings
update user_settings
   set plan_slug = $2, suspended = $3, admin = $4, override_models = $5, override_tokens_per_day = $6
 where user_id = $1;

-- name: record_change
insert into settings_changes (change_id, user_id, admin_id, reason, former, present, create_time)
values ($1, $2, $3, $4, $5, $6, $7);
