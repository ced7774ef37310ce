"""The parts of Compute on AWS Batch."""
