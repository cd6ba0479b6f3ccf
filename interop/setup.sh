#!/bin/sh
# Create the virtual environments of the interop tests:
#   interop/.venv-keras2  Keras 2.15 on TensorFlow (CPU)
#   interop/.venv-keras3  Keras 3 on PyTorch (CPU)
#   interop/.venv-onnx    onnx and onnxruntime (CPU)
#   interop/.venv-litert  the TensorFlow Lite interpreter
# Safe to repeat: an environment that already fits its requirements is kept.
#   PYTHON=python3.11 interop/setup.sh [keras2] [keras3] [onnx] [litert]
set -eu
cd "$(dirname "$0")"

# Python 3.11 or newer: $PYTHON, else python3.11, else python3.  TensorFlow 2.15 has no wheels for 3.12.
python=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
if ! "${python:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "interop: needs Python 3.11 or newer, as python3.11, python3 or \$PYTHON" >&2
  exit 1
fi

[ $# -gt 0 ] || set -- keras2 keras3 onnx litert

for name in "$@"; do
  venv=.venv-$name
  requirements=requirements-$name.txt
  if cmp -s "$requirements" "$venv/.installed"; then
    echo "interop/$venv: up to date"
    continue
  fi
  if [ ! -x "$venv/bin/python" ]; then
    echo "interop/$venv: creating it with $("$python" --version)"
    "$python" -m venv "$venv"
  fi
  echo "interop/$venv: installing interop/$requirements"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/.installed"
  echo "interop/$venv: ready"
done
