#!/usr/bin/env bash
# torchrun with the variables that OpenMMLab users know; used by dist_train.sh and dist_test.sh.
#
#   bash tools/launch.sh N SCRIPT [arguments]
set -euo pipefail
processes=$1
shift
nodes=${NNODES:-1}
if [ "$nodes" -gt 1 ] && [ -z "${MASTER_ADDR:-}" ]; then
    echo "NNODES=$nodes needs MASTER_ADDR (the first node) and PORT" >&2
    exit 2
fi
if [ "$nodes" -gt 1 ] || [ -n "${PORT:-}" ]; then
    rendezvous=(--nnodes "$nodes" --node-rank "${NODE_RANK:-0}"
        --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${PORT:-29500}")
else
    rendezvous=(--standalone) # torchrun picks a free port itself
fi
# Without this, every process would use as many threads as the machine has cores.
if [ -z "${OMP_NUM_THREADS:-}" ]; then
    threads=$(($(nproc) / processes))
    export OMP_NUM_THREADS=$((threads > 0 ? threads : 1))
fi
exec "${PYTHON:-python}" -m torch.distributed.run "${rendezvous[@]}" --nproc-per-node "$processes" "$@"
