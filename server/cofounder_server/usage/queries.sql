-- name: read_payer
-- Who pays, as of now: nobody is refused for having no row yet.
select $1 as user_id, coalesce(plan_slug, $2) as plan_slug, coalesce(suspended, false) as suspended,
       coalesce(admin, false) as admin, coalesce(override_models, '{}') as override_models,
       coalesce(override_tokens_per_day, 0) as override_tokens_per_day
  from (select) as one left join user_settings on user_id = $1;
