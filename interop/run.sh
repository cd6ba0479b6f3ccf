#!/bin/bash
# `npm run test:interop`: let the real Keras predict, and compare Gatefold with it.
#
# The models of this repository, and if GATEFOLD_CORPUS is set the whole Keras
# models there, get an npz of seeded inputs and Keras' outputs each, named by the
# path of the model with / replaced by __; then *.interop.test.ts reads them.
set -euo pipefail
cd "$(dirname "$0")/.."

sh interop/setup.sh keras2 keras3 litert
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# predict VENV ROOT MODEL...: the paths of the models are relative to ROOT.
predict() {
  local venv=$1 root=$2 model
  local files=()
  shift 2
  for model in "$@"; do
    if [ -f "$root/$model" ]; then files+=("$root/$model" "$out/${model//\//__}.npz"); fi
  done
  if [ ${#files[@]} -eq 0 ]; then return; fi
  "interop/.venv-$venv/bin/python" interop/keras_predict.py --random 1 --batch 2 --time 7 "${files[@]}"
}

predict keras2 . examples/digits/model/digits-lstm128.h5 fixtures/charlm/charlm-lstm256.h5
if [ -n "${GATEFOLD_CORPUS:-}" ]; then
  predict keras2 "$GATEFOLD_CORPUS" \
    models/keras2c/model.h5 \
    models/guitarlstm/ts9_model.h5 \
    models/hungarian-charlm/bilstm_model_64.h5
  predict keras3 "$GATEFOLD_CORPUS" \
    models/emg-cdt406/RNN2_300ms.keras \
    models/emg-cdt406/RNN2_90ms.keras \
    models/emg-cdt406/RNN2_300ms_2state.keras
else
  echo "GATEFOLD_CORPUS is not set: only the models of this repository are compared" >&2
fi

GATEFOLD_INTEROP=$out GATEFOLD_LITERT=interop/.venv-litert/bin/python npx vitest run --config vitest.interop.config.ts
