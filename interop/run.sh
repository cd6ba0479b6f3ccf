#!/bin/bash
# `npm run test:interop`: let the real Keras and TensorFlow.js predict, and compare Gatefold with them.
#
# First the models that Gatefold reads, then those that it wrote from the fixtures of
# Keras (interop/write_models.mjs), each in the runtime of its format.
#
# The models of this repository, and if GATEFOLD_CORPUS is set the whole Keras
# models there, get an npz of seeded inputs and Keras' outputs each, named by the
# path of the model with / replaced by __; then *.interop.test.ts reads them.
# What is written for PyTorch is loaded and run by the one of interop/.venv-keras3 (or of the Python that
# GATEFOLD_TORCH names), what is written as ONNX by the real onnxruntime, from within their tests.
set -euo pipefail
cd "$(dirname "$0")/.."

sh interop/setup.sh keras2 keras3 onnx litert
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

# written VENV FORMAT ENDING RESULTS [MODEL...]: predictions of written models go to $out/written/RESULTS.
written() {
  local venv=$1 format=$2 ending=$3 results=$4 base
  local files=()
  shift 4
  mkdir -p "$out/written/$results"
  for base in "$@"; do
    files+=("$out/$format/$base$ending" "fixtures/keras/$base.npz" "$out/written/$results/$base.npz")
  done
  "interop/.venv-$venv/bin/python" -W ignore interop/keras_predict.py "${files[@]}"
}

npm ci --prefix interop/tfjs --silent --no-fund --no-audit
node interop/write_models.mjs "$out"
bases() { (cd "$out/$1" && ls ./*.json | sed 's|^./||; s|\.json$||'); }
written keras2 h5 .h5 keras2 $(bases h5)
written keras3 keras .keras keras3 $(bases keras)
# What Keras 3 cannot take from a file of Keras 2 is noted by the writer.
written keras3 h5 .h5 keras3-h5 $(cd "$out/h5" && grep -L 'Keras 3' ./*.json | sed 's|^./||; s|\.json$||')

for target in tfjs tfjs-int8; do
  mkdir -p "$out/written/$target"
  files=()
  for base in $(bases $target); do
    files+=("$out/$target/$base/model.json" "$out/inputs/$base.json" "$out/written/$target/$base.json")
  done
  node interop/tfjs/predict.mjs "${files[@]}"
done

# What is written as ONNX, in onnxruntime-node and onnxruntime-web too.
node bench/written.mjs

GATEFOLD_INTEROP=$out GATEFOLD_LITERT=interop/.venv-litert/bin/python npx vitest run --config vitest.interop.config.ts
