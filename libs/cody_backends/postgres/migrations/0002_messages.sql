create table messages (
    id uuid primary key,
    queue text collate "C" not null,
    body bytea not null,
    attributes json not null,
    sent_at timestamptz not null default clock_timestamp(),
    visible_at timestamptz not null,
    receives integer not null default 0,
    receipt uuid
)
-- A queue is small and changes all the time: dead versions are swept early.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

create index messages_next on messages (queue, visible_at);

create table dead_letters (
    id uuid primary key,
    queue text collate "C" not null,
    body bytea not null,
    attributes json not null,
    reason text not null,
    receives integer not null,
    died_at timestamptz not null default clock_timestamp()
);

create index dead_letters_newest on dead_letters (queue, died_at desc, id);
