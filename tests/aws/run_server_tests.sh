#!/bin/sh
# Runs the tests of the AWS API server itself: `run_server_tests.sh [PYTHON] [unittest arguments]`.
# PYTHON has the packages of requirements.txt; the default is the one that the Rust tests install.
set -eu
cd "$(dirname "$0")"
python="${1:-../../target/aws-venv/bin/python}"
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- discover -s server_tests -t . -q
exec "$python" -B -W error::ResourceWarning -m unittest "$@"
