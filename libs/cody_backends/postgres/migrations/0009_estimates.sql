-- What a dry run says of calls, tokens and money, beside the report that has it too: it is summed over all of a job.
alter table run_reports add column estimate json;
