#!/usr/bin/env bash
# Usage: prove_wheel.sh PYTHON. Builds the wheel with PYTHON, installs it into an empty environment outside the checkout and runs
# the demo's steps from there: what people get from `pip install` must record, sync and transcribe without the checkout.
set -euo pipefail
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
checkout=$(cd "$(dirname "$0")/.." && pwd)
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT

"$python" -m build --wheel --outdir "$away/dist" "$checkout" >"$away/build.log" 2>&1 || { cat "$away/build.log"; exit 1; }
"$python" -m venv "$away/venv"
"$away/venv/bin/pip" install --quiet --disable-pip-version-check "$away"/dist/*.whl
cp -r "$checkout/tests/demo" "$away/demo"
cd "$away"
"$away/venv/bin/python" -I "$away/demo/demo.py" "$away/out"
echo "wheel: the demo ran from $(basename "$away"/dist/*.whl) alone"
