-- Requests that go to Claude as one batch. The row is there before the batch is sent: `batch_id` is null until Claude's
-- answer is known, and until then its owner alone may send, or look for what another one may have sent.
create table batch_submissions (
    id text collate "C" primary key,
    job_id text collate "C" not null,
    -- How often the job had been retried.
    round integer not null,
    owner text not null,
    owned_until timestamptz not null,
    intended_at timestamptz not null default clock_timestamp(),
    batch_id text collate "C",
    ended_at timestamptz
);

create index batch_submissions_of_job on batch_submissions (job_id);
create index batch_submissions_by_batch on batch_submissions (batch_id) where batch_id is not null;

-- A request belongs to one submission at a time.
create table batch_requests (
    job_id text collate "C" not null,
    custom_id text collate "C" not null,
    submission_id text collate "C" not null references batch_submissions on delete cascade,
    primary key (job_id, custom_id)
);

create index batch_requests_of_submission on batch_requests (submission_id);
