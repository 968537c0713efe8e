#!/usr/bin/env bash
# Builds .venv with the package (editable) and its development tools. PYTHON picks another interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "dev: $("$python" --version) is too old; set PYTHON to a Python 3.11 or newer" >&2
  exit 1
fi

if [ ! -x .venv/bin/python ]; then
  echo "dev: creating .venv with $("$python" --version)" >&2
  "$python" -m venv .venv
fi

echo "dev: installing llmdeploy and its development tools into .venv" >&2
# Dependency groups (PEP 735) need pip 25.1; a fresh venv has the interpreter's older one.
.venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
.venv/bin/python -m pip install --quiet --editable . --group dev
touch .venv/.ready
echo "dev: done; .venv/bin/llmdeploy is this checkout" >&2
