-- name: find_share_link
select links.link_id, links.project_id, links.expire_time
  from share_links links
 where links.token_hash = $1 and links.revoke_time is null;

-- name: read_account
select plan_slug, suspended from user_settings where user_id = $1;

-- name: read_admin
select admin from user_settings where user_id = $1;

-- name: set_plan
-- Writes only what changes, so that calls at once neither fail nor wait for each other longer than one write.
insert into user_settings (user_id, plan_slug) values ($1, $2)
    on conflict (user_id) do update set plan_slug = excluded.plan_slug
 where user_settings.plan_slug <> excluded.plan_slug;
