-- A sample is chosen once (empty: not yet). Its size is that of the spec, which cannot be looked into here: PostgreSQL
-- reads nothing of a document that holds U+0000. An approval is kept as a hash of what it said, so that the same one is
-- known again.
alter table jobs
    add column sample_size integer not null default 0,
    add column sample json not null default '[]',
    add column approval text,
    add column former_prompts json not null default '[]';

-- Diffs that make the same change have the same one; null for those that were stored before there were groups.
alter table patches add column diff_group text collate "C";
