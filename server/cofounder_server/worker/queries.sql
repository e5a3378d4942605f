-- name: sign_in
-- Says that a worker is there, and returns whether it is to take no more builds.
insert into workers (worker_id, slots, seen_time) values ($1, $2, $3)
on conflict (worker_id) do update set slots = excluded.slots, seen_time = excluded.seen_time
returning draining;

-- name: sign_out
delete from workers where worker_id = $1;

-- name: forget_workers
-- Those that were not seen for a long time: their processes are gone.
delete from workers where seen_time < $1;

-- name: list_workers
select worker_id, slots, draining, seen_time,
       (select count(*) from builds where lease_owner like worker_id || ':%') as builds
  from workers order by worker_id;

-- name: set_draining
update workers set draining = $2 where worker_id = $1 or $1 = 'all' returning worker_id;
