-- Takes a build out of the index, whoever holds it.
-- ARGV build.
forget(ARGV[1])
return 1
