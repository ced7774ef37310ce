"""DynamoDB, SQS and AWS Batch, chosen by `CODY_BACKEND=aws`."""
