#!/usr/bin/env bash
# Train under Slurm, one task per GPU.
#
#   GPUS=16 GPUS_PER_NODE=8 bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]
#
# CPUS_PER_TASK (default 5) and SRUN_ARGS are honoured.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
fi
partition=$1 job=$2 config=$3
shift 3
exec bash "$(dirname "$0")/slurm_launch.sh" "$partition" "$job" "$(dirname "$0")/train.py" "$config" "$@"
