-- Results know jobs by their id only: jobs may be kept by another store.

-- A conversation is kept once (zlib over JSON), however many files and known outcomes point at it.
create table threads (
    id uuid primary key,
    content bytea not null
);
alter table threads alter column content set storage external;

create table known_outcomes (
    question text collate "C" primary key,
    outcome bytea not null,
    job_id text not null,
    thread_id uuid,
    at timestamptz not null default clock_timestamp()
);

create index known_outcomes_of_thread on known_outcomes (thread_id) where thread_id is not null;

create table file_results (
    job_id text collate "C" not null,
    repository text collate "C" not null,
    path text collate "C" not null,
    question text collate "C" not null,
    -- JSON as bytes: an edit may hold U+0000, which neither jsonb nor text can.
    outcome bytea not null,
    reused_from text,
    thread_id uuid,
    recorded_by uuid not null,
    at timestamptz not null default clock_timestamp(),
    primary key (job_id, repository, path)
);

create index file_results_of_thread on file_results (thread_id) where thread_id is not null;

create table claude_calls (
    job_id text collate "C" not null,
    repository text collate "C" not null,
    path text collate "C" not null,
    at timestamptz not null,
    request_id text not null,
    -- Tells calls of one file apart that have the same time and no request id.
    number integer not null,
    model text not null,
    input_tokens bigint not null,
    output_tokens bigint not null,
    cache_creation_input_tokens bigint not null,
    cache_read_input_tokens bigint not null,
    cost_microusd bigint not null,
    latency_ms bigint not null,
    primary key (job_id, repository, path, at, request_id, number)
);

-- The sums of claude_calls by run, kept in the same transaction: a job of 10,000 repositories has millions of calls.
create table run_usage (
    job_id text collate "C" not null,
    repository text collate "C" not null,
    calls bigint not null,
    input_tokens bigint not null,
    output_tokens bigint not null,
    cache_creation_input_tokens bigint not null,
    cache_read_input_tokens bigint not null,
    cost_microusd bigint not null,
    primary key (job_id, repository)
)
with (fillfactor = 80);

create table patches (
    job_id text collate "C" not null,
    repository text collate "C" not null,
    base_commit text not null,
    commit text not null,
    branch text not null,
    message text not null,
    patch bytea not null,
    files_changed integer not null,
    lines_added integer not null,
    lines_removed integer not null,
    primary key (job_id, repository)
);

create sequence event_ids as bigint;

create table events (
    job_id text collate "C" not null,
    id bigint not null,
    at timestamptz not null default clock_timestamp(),
    body json not null,
    appended_by uuid not null,
    primary key (job_id, id)
);

create table spans (
    trace_id text collate "C" not null,
    span_id text collate "C" not null,
    parent_span_id text,
    name text not null,
    kind text not null,
    service text not null,
    job_id text collate "C",
    started_at timestamptz not null,
    duration_us bigint not null,
    status text not null,
    status_message text,
    attributes json not null,
    links json not null,
    primary key (trace_id, span_id)
);

create index spans_by_start on spans (started_at);
create index spans_of_job on spans (job_id, started_at) where job_id is not null;
