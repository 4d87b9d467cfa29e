"""The command lines that the launch scripts build."""

import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'


def command_of(script: str, *arguments: str, tmp_path: Path, **variables: str) -> subprocess.CompletedProcess:
    """Run a script with programs in place of srun and Python that print their arguments."""
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\necho srun "$@"\n')
    srun.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name not in ('PORT', 'NNODES', 'MASTER_ADDR')}
    environment |= {'PATH': f'{tmp_path}:{environment["PATH"]}', 'PYTHON': 'echo', **variables}
    return subprocess.run(['bash', str(TOOLS / script), *arguments], env=environment, capture_output=True, text=True)


def test_dist_train_takes_a_free_port(tmp_path):
    out = command_of('dist_train.sh', 'my config.py', '8', '--amp', tmp_path=tmp_path).stdout
    assert out.startswith('-m torch.distributed.run --standalone --nproc-per-node 8 ')
    assert out.endswith('train.py my config.py --launcher pytorch --amp\n')


def test_dist_train_on_several_nodes(tmp_path):
    variables = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='29999')
    out = command_of('dist_train.sh', 'c.py', '4', tmp_path=tmp_path, **variables).stdout
    assert '--nnodes 2 --node-rank 1 --master-addr 10.0.0.1 --master-port 29999 --nproc-per-node 4' in out


def test_several_nodes_need_an_address(tmp_path):
    run = command_of('dist_train.sh', 'c.py', '4', tmp_path=tmp_path, NNODES='2')
    assert run.returncode == 2 and 'MASTER_ADDR' in run.stderr


def test_dist_test_passes_the_checkpoint(tmp_path):
    out = command_of('dist_test.sh', 'c.py', 'w.pth', '2', tmp_path=tmp_path, PORT='1234').stdout
    assert '--master-port 1234' in out and out.endswith('test.py c.py w.pth --launcher pytorch\n')


def test_slurm_train_runs_one_task_per_gpu(tmp_path):
    variables = dict(GPUS='16', GPUS_PER_NODE='8', SRUN_ARGS='--time 1:00')
    out = command_of('slurm_train.sh', 'gpu', 'job', 'c.py', '--amp', tmp_path=tmp_path, **variables).stdout
    assert '-p gpu --job-name=job --gres=gpu:8 --ntasks=16 --ntasks-per-node=8 --cpus-per-task=5' in out
    assert '--time 1:00 echo -u' in out and out.endswith('train.py c.py --amp --launcher slurm\n')


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh', 'slurm_job.sh'])
def test_too_few_arguments_print_the_usage(script, tmp_path):
    run = command_of(script, tmp_path=tmp_path)
    assert run.returncode == 2 and f'tools/{script}' in run.stdout


@pytest.mark.parametrize('processes', ['eight', '0', '-1', '2.5'])
def test_number_of_processes(processes, tmp_path):
    run = command_of('dist_train.sh', 'c.py', processes, tmp_path=tmp_path)
    assert run.returncode == 2 and f"the number of processes is '{processes}'" in run.stderr and not run.stdout


@pytest.mark.parametrize(
    ('code', 'expected', 'requeued'), [(0, 0, False), (1, 1, False), (138, 0, True), (143, 143, False)]
)
def test_slurm_job_requeues_itself_before_its_time_limit(code, expected, requeued, tmp_path):
    (tmp_path / 'scontrol').write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/requeued\n')
    (tmp_path / 'scontrol').chmod(0o755)
    python = tmp_path / 'my_python'
    python.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/command\nexit {code}\n')
    python.chmod(0o755)
    environment = {
        **os.environ,
        'PATH': f'{tmp_path}:{os.environ["PATH"]}',
        'PYTHON': str(python),
        'SLURM_JOB_ID': '77',
    }
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nshift\nexec "$@"\n')  # one task
    srun.chmod(0o755)
    command = ['bash', TOOLS / 'slurm_job.sh', 'c.py', '--amp']
    done = subprocess.run(command, env=environment, cwd=TOOLS.parent, capture_output=True, text=True)
    assert done.returncode == expected, done.stderr
    arguments = (tmp_path / 'command').read_text()
    assert arguments == '-u tools/train.py c.py --amp --resume auto --launcher slurm\n'
    assert (tmp_path / 'requeued').exists() == requeued
    if requeued:
        assert (tmp_path / 'requeued').read_text() == 'requeue 77\n'
