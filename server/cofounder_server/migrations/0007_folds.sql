-- The fold knows marks now: stored folds of former versions go, and the log makes them again.
delete from build_snapshots;
