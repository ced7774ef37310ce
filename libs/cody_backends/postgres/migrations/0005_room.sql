-- Room under Claude's rate limits, one row for each key (a hash of it) and model. The arrays have requests, input tokens
-- and output tokens; no limit is null. After a crash it is empty, which is fine: the next answer tells the limits again,
-- and each call would otherwise wait for a disk.
create unlogged table claude_room (
    lane text collate "C" primary key,
    limits double precision[] not null,
    levels double precision[] not null,
    filled_at timestamptz not null default clock_timestamp(),
    known boolean not null default false,
    paused_until timestamptz,
    overloaded boolean not null default false
)
-- Rows are few and change all the time: room on their page keeps each change on it.
with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
