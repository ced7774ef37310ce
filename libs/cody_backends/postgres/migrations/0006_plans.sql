-- One plan for each job: first who makes it (a lease, as runs have one), then the plan itself, or why there is none.
-- Conversations hold no files and are small (zlib over JSON): each row has its own copy.
create table plans (
    job_id text collate "C" primary key,
    plan json,
    source text,
    model text,
    -- What Claude's answer was to: another prompt needs another plan.
    question text,
    reused_from text,
    thread bytea,
    made_at timestamptz,
    owner text,
    lease_expires_at timestamptz,
    -- No plan came of this attempt; the next one may try again.
    failure json,
    failed_attempt integer,
    -- Which call stored the plan: the same call again gives the same answer.
    kept_by uuid
);

-- Answers that were paid for, by their question.
create table known_plans (
    question text collate "C" primary key,
    plan json not null,
    model text not null,
    thread bytea,
    job_id text not null,
    at timestamptz not null default clock_timestamp()
);

create table run_reports (
    job_id text collate "C" not null,
    repository text collate "C" not null,
    report json not null,
    primary key (job_id, repository)
);
