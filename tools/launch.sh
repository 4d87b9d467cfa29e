#!/usr/bin/env bash
# torchrun with the variables that OpenMMLab users know; used by dist_train.sh and dist_test.sh.
#
#   bash tools/launch.sh N SCRIPT [arguments]
#
# SIGTERM, SIGINT and SIGUSR1 are passed to the N processes, which then save; the exit code is 128 + the signal.
set -euo pipefail
processes=$1
shift
if ! [[ $processes =~ ^[1-9][0-9]*$ ]]; then
    echo "the number of processes is '$processes', not a positive number" >&2
    exit 2
fi
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

received=0
pass_on() {
    received=$2
    # torchrun itself would give its processes 30 s, and would die of SIGUSR1 without them
    # shellcheck disable=SC2046
    kill -s "$1" $(cat "/proc/$torchrun/task/$torchrun/children" 2>/dev/null) 2>/dev/null || kill "$torchrun"
}
set -m # a process group of its own, so that the terminal's Ctrl-C reaches the processes once, through this script
"${PYTHON:-python}" -m torch.distributed.run "${rendezvous[@]}" --nproc-per-node "$processes" "$@" &
torchrun=$!
trap 'pass_on TERM 15' TERM
trap 'pass_on INT 2' INT
trap 'pass_on USR1 10' USR1
status=0
wait "$torchrun" || status=$?
while kill -0 "$torchrun" 2>/dev/null; do # a signal ends `wait` early
    status=0
    wait "$torchrun" || status=$?
done
if [ "$received" -gt 0 ] && [ "$status" -ne 0 ]; then
    status=$((128 + received))
fi
exit "$status"
