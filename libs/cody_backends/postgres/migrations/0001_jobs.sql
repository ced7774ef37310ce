-- Texts that people and programs compare are sorted bytewise (collate "C"), whatever the database's own locale is.
-- Documents are json, not jsonb: a prompt or a message may hold U+0000, which jsonb refuses.

create table jobs (
    id text collate "C" primary key,
    spec json not null,
    status text not null check (
        status in (
            'CREATING', 'PENDING', 'AWAITING_APPROVAL', 'RUNNING',
            'SUCCEEDED', 'PARTIALLY_SUCCEEDED', 'FAILED', 'CANCELLED'
        )
    ),
    repositories integer not null,
    fingerprint text not null,
    submitted_by text not null,
    traceparent text,
    attempt integer not null default 0,
    failure json,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    -- Which call made the last change, and how many runs it queued: a call that is repeated because its
    -- acknowledgement was lost finds its own mark and gives the same answer.
    changed_by uuid,
    requeued integer not null default 0
);

create index jobs_newest on jobs (created_at desc, id desc);
create index jobs_newest_by_status on jobs (status, created_at desc, id desc);
create index jobs_unfinished on jobs (status, updated_at)
    where status in ('CREATING', 'PENDING', 'RUNNING', 'AWAITING_APPROVAL');
create index jobs_ended on jobs (coalesce(ended_at, updated_at))
    where status in ('SUCCEEDED', 'PARTIALLY_SUCCEEDED', 'FAILED', 'CANCELLED');

create table repository_runs (
    job_id text collate "C" not null references jobs (id) on delete cascade,
    repository text collate "C" not null,
    position integer not null,
    status text not null default 'QUEUED' check (
        status in ('QUEUED', 'DISPATCHED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')
    ),
    outcome text,
    reason text,
    failure json,
    files json not null default '{}',
    attempt integer not null default 0,
    shard integer,
    dispatches integer not null default 0,
    losses integer not null default 0,
    -- It was lost once, in this attempt or before a retry: it never shares a shard again.
    alone boolean not null default false,
    lease_owner text,
    lease_expires_at timestamptz,
    finished_by text,
    started_at timestamptz,
    ended_at timestamptz,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (job_id, repository)
)
-- Room for the new versions that heartbeats write: no index holds a lease, so they stay on their page.
with (fillfactor = 80);

create unique index repository_runs_in_order on repository_runs (job_id, position);
create index repository_runs_by_status on repository_runs (job_id, status, position) include (outcome);
-- Not a partial index: before a new job's rows are counted, it would be taken for a small one, and for the best way
-- to any of them.
create index repository_runs_of_shard on repository_runs (job_id, attempt, shard);

create table attempts (
    job_id text collate "C" not null references jobs (id) on delete cascade,
    number integer not null,
    shards integer not null,
    compute_id text,
    created_at timestamptz not null default clock_timestamp(),
    primary key (job_id, number)
);

create index attempts_without_compute on attempts (job_id, number) where compute_id is null;

create table shards (
    job_id text collate "C" not null,
    attempt integer not null,
    index integer not null,
    repositories text[] not null,
    created_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    -- What the recovery of a lost shard did, and which call it was: the same call again gives the same answer.
    recovered_by uuid,
    recovered json,
    primary key (job_id, attempt, index),
    foreign key (job_id, attempt) references attempts (job_id, number) on delete cascade
);

create index shards_open on shards (created_at, job_id, attempt, index) where ended_at is null;
create index shards_open_of_job on shards (job_id, attempt) where ended_at is null;
