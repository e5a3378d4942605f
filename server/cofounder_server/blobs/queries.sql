-- name: write
insert into blobs (address, body) select * from unnest($1::bytea[], $2::bytea[]) on conflict (address) do nothing;

-- name: read
select address, body from blobs where address = any ($1::bytea[]);

-- name: find
select address from blobs where address = any ($1::bytea[]);
