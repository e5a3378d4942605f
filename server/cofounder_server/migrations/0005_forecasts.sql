-- What waiting builds were told about their start, so that it can be said how well that held. Only builds/forecasts.py
-- writes this table.
create table forecasts (
  build_id uuid primary key references builds on delete cascade,
  forecast_time timestamptz not null,
  -- From then on: the median, and what nine in ten stay below.
  eta interval not null,
  eta_late interval not null check (eta_late >= eta),
  -- What these had been multiplied by, for what was learnt from former ones.
  median_factor float8 not null,
  late_factor float8 not null
);
create index forecasts_newest on forecasts (forecast_time desc);

-- Past durations, by plan: of builds that one worker played in one go.
create index builds_played on builds (plan_slug, finish_time desc)
  where attempt = 1 and start_time is not null and finish_time is not null;
