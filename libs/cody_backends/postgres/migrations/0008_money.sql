-- What has a cap: a job (repository and path are empty), a repository (the path is empty), a file.
create table money_accounts (
    job_id text collate "C" not null,
    repository text collate "C" not null,
    path text collate "C" not null,
    cap bigint not null,
    spent bigint not null default 0,
    reserved bigint not null default 0 check (reserved >= 0),
    primary key (job_id, repository, path)
)
-- The job's row changes with every call: no index holds what changes, so new versions stay on its page.
with (fillfactor = 50);

-- Settled ones are kept: a reservation that arrives twice, however late, must not be made again.
create table money_reservations (
    job_id text collate "C" not null,
    id text collate "C" not null,
    repository text collate "C" not null,
    path text collate "C" not null,
    -- Of 'file', 'repository' and 'job' those that have a cap, in this order.
    levels text[] not null,
    microusd bigint not null,
    spent bigint,
    owner text not null,
    primary key (job_id, id)
);

create index money_reservations_open on money_reservations (job_id, repository, path) where spent is null;
