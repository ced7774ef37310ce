"""Jobs, runs and shards in DynamoDB, a file for each step of a job's life."""
