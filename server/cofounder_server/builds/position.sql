-- name: list_line
-- Every build that waits or holds a worker, in the queue's order.
select build_id, payer_id, project_id, plan_slug, state, start_time, start_after from builds
 where state in ('scheduled', 'queued', 'starting', 'running')
 order by priority, build_id;

-- name: which_wait
-- Those of some builds that wait for a worker or for their day.
select build_id from builds where build_id = any ($1::uuid[]) and state in ('scheduled', 'queued');

-- name: count_slots
-- How many builds the workers can play at once. One that was not heard of for 15 s is gone.
select coalesce(sum(slots), 0)::int from workers where not draining and seen_time > now() - interval '15 seconds';

-- name: list_durations
-- How long the newest $1 builds of each plan held their worker. What waited in between (for an answer, for another
-- worker) is in the times of builds with several attempts: they are left out.
select plan_slug, extract(epoch from greatest(finish_time - start_time, interval '0'))::float8 as seconds
  from plans cross join lateral (
    select start_time, finish_time from builds
     where builds.plan_slug = plans.plan_slug
       and attempt = 1 and start_time is not null and finish_time is not null
     order by finish_time desc limit $1) as newest;

-- name: record_forecasts
-- What a build was told first stands.
insert into forecasts (build_id, forecast_time, eta, eta_late, median_factor, late_factor)
select build_id, $2, eta, eta_late, $5, $6
  from unnest($1::uuid[], $3::interval[], $4::interval[]) as t (build_id, eta, eta_late)
  -- One that was deleted meanwhile is nobody's forecast.
 where exists (select from builds where builds.build_id = t.build_id)
    on conflict (build_id) do nothing;

-- name: judge_forecasts
-- The newest $1 forecasts that can be judged as of $2: the build has started, or should have. One that was ended
-- before it was late says nothing.
select eta, eta_late, median_factor, late_factor, start_time is not null as started,
       coalesce(start_time, finish_time, $2) - forecast_time as waited
  from forecasts join builds using (build_id)
 where start_time is not null or coalesce(finish_time, $2) > forecast_time + eta_late
 order by forecast_time desc limit $1;
