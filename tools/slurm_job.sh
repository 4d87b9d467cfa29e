#!/usr/bin/env bash
# Training as a Slurm batch job that continues itself after each time limit; submit it from the root of the repository.
#
#   sbatch -p PARTITION -N 2 --gres gpu:8 --ntasks-per-node 8 -t 24:00:00 tools/slurm_job.sh CONFIG [arguments]
#
# Two minutes before the limit, Slurm sends SIGUSR1 to all tasks, which save and exit with 138; the job then requeues
# itself, and --resume auto continues where it was. SRUN_ARGS and PYTHON are honoured.
#SBATCH --job-name=mmsigma
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
if [ $# -lt 1 ]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    exit 2
fi
status=0
# SRUN_ARGS is a list of words on purpose
# shellcheck disable=SC2086
srun --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u tools/train.py "$@" --resume auto --launcher slurm || status=$?
if [ "$status" -eq 138 ]; then # 128 + SIGUSR1
    scontrol requeue "$SLURM_JOB_ID"
    status=0
fi
exit "$status"
