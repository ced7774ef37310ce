create table api_tokens (
    name text primary key,
    role text not null check (role in ('viewer', 'submitter', 'admin')),
    -- SHA-256: a secret of 256 random bits cannot be guessed from it, so nothing slower is needed.
    secret_hash bytea not null unique,
    created_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz
);
