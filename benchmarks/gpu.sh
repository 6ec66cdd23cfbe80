#!/usr/bin/env bash
# What a machine with a GPU can say about this package, in at most nine minutes: correctness, speed, the published runs.
#
#   bash benchmarks/gpu.sh                             results in benchmarks/results/gpu.json, after each part
#   bash benchmarks/gpu.sh --seconds 300 --out FILE
#   bash benchmarks/gpu.sh --accelerator cpu --toy     the same at toy sizes, in a minute on two cores
exec "${PYTHON:-python3}" "$(dirname "$0")/gpu/bundle.py" "$@"
