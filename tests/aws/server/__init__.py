"""The AWS API server of the tests: see README.md beside this folder."""
