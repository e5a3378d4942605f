-- name: create_project
-- Returns the new project, or nothing if this owner's request id made one already.
with made as (
  insert into projects (project_id, title, owner_id, request_id, create_time) values ($1, $2, $3, $4, $5)
      on conflict (owner_id, request_id) do nothing
  returning project_id, title, owner_id, create_time
), member as (
  insert into project_members (project_id, user_id, role, create_time)
  select project_id, owner_id, 'owner', create_time from made
)
select project_id, title, owner_id, create_time, 'owner' as role from made;

-- name: find_project_by_request
select project_id, title, owner_id, create_time, 'owner' as role
  from projects where owner_id = $1 and request_id = $2;

-- name: first_project
select project_id, title, owner_id, create_time, 'owner' as role
  from projects where owner_id = $1 order by create_time, project_id limit 1;

-- name: read_project
select project_id, title, owner_id, create_time from projects where project_id = $1;

-- name: list_projects
-- A page of the projects in which a user has a role, newest first, from before $2 on (null: from the newest).
select project_id, title, owner_id, projects.create_time, role
  from project_members join projects using (project_id)
 where user_id = $1 and ($2::uuid is null or project_id < $2)
 order by project_id desc limit $3;

-- name: list_project_ids
select project_id from project_members where user_id = $1;

-- name: read_role
select role from project_members where project_id = $1 and user_id = $2;

-- name: set_member
-- Gives a role or changes it; nothing if the user is the owner, who stays it. Writing the row an update anyway makes
-- `returning` give it back unchanged where the role is the same.
insert into project_members (project_id, user_id, role, create_time) values ($1, $2, $3, $4)
    on conflict (project_id, user_id) do update set role = excluded.role where project_members.role <> 'owner'
returning user_id, role, create_time;

-- name: remove_member
delete from project_members where project_id = $1 and user_id = $2 and role <> 'owner';

-- name: list_members
select user_id, role, create_time from project_members
 where project_id = $1 and user_id > $2
 order by user_id limit $3;

-- name: create_share_link
insert into share_links (link_id, project_id, token_hash, creator_id, expire_time, create_time)
values ($1, $2, $3, $4, $5, $6);

-- name: list_share_links
-- A page of the links that still open something or once did, newest first; revoked ones are gone from it.
select link_id, expire_time, creator_id from share_links
 where project_id = $1 and revoke_time is null and ($2::uuid is null or link_id < $2)
 order by link_id desc limit $3;

-- name: revoke_share_link
-- Returns the link also if it was revoked before: revoking twice is no error.
update share_links set revoke_time = coalesce(revoke_time, $3)
 where project_id = $1 and link_id = $2
returning link_id;
