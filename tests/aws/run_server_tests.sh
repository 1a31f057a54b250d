#!/bin/sh
# Runs the tests of the AWS API server itself: `run_server_tests.sh [PYTHON] [unittest arguments]`.
# PYTHON has the packages of requirements.txt; the default is the one that the Rust tests install.
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
python="${1:-$here/../../target/aws-venv/bin/python}"
case "$python" in /*) ;; */*) python="$PWD/$python" ;; esac
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- discover -s server_tests -t . -q
cd "$here"
exec "$python" -B -W error::ResourceWarning -m unittest "$@"
