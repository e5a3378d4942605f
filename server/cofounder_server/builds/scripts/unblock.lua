-- Has every build that waits looked at anew: the limits changed.
redis.call('zunionstore', READY, 1, WAITING)
ring(redis.call('zcard', READY))
return 1
