#!/usr/bin/env bash
# Train with N processes on this node: N GPUs, or N gloo processes where there is no GPU.
#
#   bash tools/dist_train.sh CONFIG N [arguments of tools/train.py]
#
# Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT and run it on each.
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
fi
config=$1 processes=$2
shift 2
exec bash "$(dirname "$0")/launch.sh" "$processes" "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
