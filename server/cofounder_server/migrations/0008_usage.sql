-- What was given back to a payer on a day is asked for as often as what was spent.
create index usage_credits_by_payer on usage_credits (payer_id, day);
