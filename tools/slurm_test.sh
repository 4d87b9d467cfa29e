#!/usr/bin/env bash
# Evaluate under Slurm, one task per GPU.
#
#   GPUS=8 bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of tools/test.py]
#
# GPUS_PER_NODE, CPUS_PER_TASK (default 5) and SRUN_ARGS are honoured.
set -euo pipefail
if [ $# -lt 4 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
fi
partition=$1 job=$2 config=$3 checkpoint=$4
shift 4
exec bash "$(dirname "$0")/slurm_launch.sh" "$partition" "$job" "$(dirname "$0")/test.py" "$config" "$checkpoint" "$@"
