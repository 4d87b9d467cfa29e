#!/usr/bin/env bash
# Evaluate with N processes on this node: N GPUs, or N gloo processes where there is no GPU.
#
#   bash tools/dist_test.sh CONFIG CHECKPOINT N [arguments of tools/test.py]
#
# Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT and run it on each.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
fi
config=$1 checkpoint=$2 processes=$3
shift 3
exec bash "$(dirname "$0")/launch.sh" "$processes" \
    "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
