-- name: read_plans
select plan_slug, price_microdollars, builds_a_day, concurrent_user, concurrent_project, tokens_a_day,
       head_start_seconds, default_models
  from plans;
