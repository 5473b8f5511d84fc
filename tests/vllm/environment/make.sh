#!/usr/bin/env bash
# make.sh PYTHON VENV: an environment that holds vLLM for CPUs, for tests only: 3.5 GB, some minutes.
set -euo pipefail
here=$(dirname "$0")
"$1" -m venv --clear "$2"
"$2/bin/pip" install -q --no-deps -r "$here/requirements.txt"
"$2/bin/python" "$here/repair.py"
