"""Tests of the AWS API server itself, with boto3: `run_server_tests.sh`."""
