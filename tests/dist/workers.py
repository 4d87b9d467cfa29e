"""What the processes of the distributed tests run; importable by name, as spawned processes need."""

import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch.distributed.fsdp import FSDPModule

from mmsigma.engine import TransformerOptimWrapperConstructor
from mmsigma.engine.hooks import NonFiniteLossHook
from mmsigma.engine.runner import agree_on_cpu_linear
from mmsigma.engine.sharding import FullySharded
from mmsigma.models.sigma.feature_queue import FeatureQueue
from mmsigma.ops import fast_linear, sinkhorn, sinkhorn_labels, split_tokens
from mmsigma.registry import MODELS, STRATEGIES
from tests.engine.fakes import FakeRunner
from tests.scripts import restored_state

STRATEGY = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'strategies' / 'fsdp.py'


# Started once for all tests, as imports take longer than any of them: each with the end of its pipe.
_RANKS: list[tuple[BaseProcess, Connection]] = []


def run_ranks(worker: Callable, world_size: int, folder: Path, *args) -> list:
    """Run ``worker(rank, *args)`` on gloo ranks; returns what each of them returned.

    Raises:
        RuntimeError: With the traceback of the rank that failed first.
    """
    while len(_RANKS) < world_size:
        _RANKS.append(_start_rank())
    waiting = [connection for _, connection in _RANKS[:world_size]]
    try:
        for rank, connection in enumerate(waiting):
            connection.send((worker, rank, world_size, str(folder), args))
        while waiting:
            ready = wait(waiting, timeout=200)
            if not ready or any(failures := [connection.recv() for connection in ready]):
                raise RuntimeError('\n'.join(filter(None, failures)) if ready else f'{worker.__name__} does not end')
            waiting = [connection for connection in waiting if connection not in ready]
    except BaseException:
        while _RANKS:  # the others may wait for the one that failed
            _RANKS.pop()[0].kill()
        raise
    return [torch.load(folder / f'result_{rank}.pt') for rank in range(world_size)]


def _start_rank() -> tuple[BaseProcess, Connection]:
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    return process, ours


def _serve(connection: Connection) -> None:
    """Do what is asked for, each time as a new process would, and answer with nothing or a traceback."""
    while True:
        task = connection.recv()
        try:
            with restored_state():
                _run_as_rank(*task)
            connection.send('')
        except Exception:
            connection.send(traceback.format_exc())


def _run_as_rank(worker: Callable, rank: int, world_size: int, folder: str, args: tuple) -> None:
    os.environ['LOCAL_RANK'] = str(rank)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=world_size)
    torch.save(worker(rank, *args), Path(folder) / f'result_{rank}.pt')
    dist.destroy_process_group()  # not after an error, which the others would report as a lost connection


def sinkhorn_worker(rank: int, shards: list[torch.Tensor], epsilon: float, num_iters: int) -> tuple:
    return sinkhorn(shards[rank], epsilon, num_iters), sinkhorn_labels(shards[rank], epsilon, num_iters)


def tiny_sigma(target: str) -> torch.nn.Module:
    torch.manual_seed(0)
    targets = {
        'mlp': dict(type='MLPTarget', hidden_channels=[32], out_channels=16, patch_size=8),
        'dino': dict(
            type='FrozenEncoderTarget',
            weights='random',
            img_size=32,
            grid=(4, 4),
            model_kwargs=dict(patch_size=8, embed_dim=24, depth=1, num_heads=2),
        ),
    }
    return MODELS.build(
        dict(
            type='mmsigma.SIGMA',
            backbone=dict(
                type='VideoVisionTransformer',
                arch=dict(embed_dims=32, depth=1, num_heads=2),
                img_size=32,
                num_frames=4,
                patch_size=8,
            ),
            neck=dict(type='MaskedVideoDecoder', embed_dims=16, depth=1, num_heads=2),
            target=targets[target],
            head=dict(type='PrototypeHead', num_prototypes=[6, 20]),
        )
    )


def joint_batch(batch: int = 4, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    clips = torch.randn(batch, 3, 4, 32, 32, generator=generator)
    order = torch.rand(batch, 32, generator=generator).argsort(dim=1)
    return clips, order < 24


def step(model: torch.nn.Module, clips: torch.Tensor, mask: torch.Tensor) -> dict:
    """One optimisation step; returns loss, gradients, parameters after it and use of prototypes."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    terms = model(clips, mask) if isinstance(model, torch.nn.parallel.DistributedDataParallel) else model(clips, mask)
    loss = sum(value for name, value in terms.items() if 'loss' in name)
    loss.backward()
    inner = getattr(model, 'module', model).model
    gradients = {name: value.grad.clone() for name, value in inner.named_parameters()}
    optimizer.step()
    parameters = {name: value.detach().clone() for name, value in inner.named_parameters()}
    usage = {name: value for name, value in terms.items() if name.startswith(('used_prototypes', 'assignment_entropy'))}
    return dict(loss=loss.detach(), gradients=gradients, parameters=parameters, usage=usage)


class LossOnly(torch.nn.Module):
    """DDP calls ``forward``; ours takes data samples there, which a test can do without."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, clips: torch.Tensor, mask: torch.Tensor) -> dict:
        return self.model.loss(clips, split_tokens(mask))


def step_worker(rank: int, target: str) -> dict:
    clips, mask = joint_batch()
    half = slice(2 * rank, 2 * rank + 2)
    model = torch.nn.parallel.DistributedDataParallel(LossOnly(tiny_sigma(target)))
    return step(model, clips[half], mask[half])


def queue_losses(model: torch.nn.Module, shares: int = 1, rank: int = 0) -> list[float]:
    """Losses of three batches with a queue that holds less than two of them."""
    torch.manual_seed(0)
    model.model.head.queue = FeatureQueue(150, 16)
    losses = []
    for seed in range(3):
        clips, mask = joint_batch(seed=seed)
        own = slice(rank * len(clips) // shares, (rank + 1) * len(clips) // shares)
        terms = model(clips[own], mask[own])
        losses.append(float(sum(value.detach() for name, value in terms.items() if 'loss' in name)))
    return losses


def queue_worker(rank: int) -> list[float]:
    return queue_losses(LossOnly(tiny_sigma('mlp')), 2, rank)


def decay_of_parameters(model: torch.nn.Module) -> dict[str, float]:
    optimizer = dict(type='AdamW', lr=1e-3, weight_decay=0.05)
    groups = TransformerOptimWrapperConstructor(dict(optimizer=optimizer))(model).optimizer.param_groups
    return {name: group['weight_decay'] for group in groups for name in group['names']}


def sharded_step_worker(rank: int, target: str, world_size: int) -> dict:
    """The same as :func:`step_worker`, with a sharded model; whole gradients and parameters."""
    clips, mask = joint_batch()
    share = len(clips) // world_size
    own = slice(share * rank, share * (rank + 1))
    model = tiny_sigma(target)
    strategy = FullySharded(methods=['loss'])
    strategy.shard(model)
    found = step(LossOnly(model), clips[own], mask[own])
    for kind in ('gradients', 'parameters'):
        found[kind] = {name: value.full_tensor() for name, value in found[kind].items()}
    return found


def sharded_state_worker(rank: int, first: Any) -> dict:
    """What a sharded model and its optimiser save after two steps, and after they have loaded that."""
    clips, mask = joint_batch()
    saved = []
    for is_loaded in (False, True):
        model = tiny_sigma('mlp')
        strategy = STRATEGIES.build({**Config.fromfile(STRATEGY).strategy, 'methods': ['loss']})
        strategy.shard(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)  # not of the sign of tiny gradients
        strategy.follow(optimizer, model)
        if is_loaded:
            model.load_state_dict(first['model'])
            optimizer.load_state_dict(first['optimizer'])
        for _ in range(2):
            optimizer.zero_grad()
            terms = model.loss(clips[rank :: dist.get_world_size()], split_tokens(mask[rank :: dist.get_world_size()]))
            sum(value for name, value in terms.items() if 'loss' in name).backward()
            optimizer.step()
        saved.append(dict(model=dict(model.state_dict()), optimizer=optimizer.state_dict()))
        first = first or saved[0]
    units = sorted(type(part).__name__ for part in model.modules() if isinstance(part, FSDPModule))
    local = sum(value.to_local().numel() for value in model.parameters())
    return dict(saved=saved, units=units, local=local, decay=decay_of_parameters(model))


def diverging_worker(rank: int) -> dict:
    """One step in which the loss of rank 1 alone is infinite, with a check that is left to the device."""
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 2)
    wrapper = OptimWrapper(torch.optim.AdamW(model.parameters(), fused=True))
    hook = NonFiniteLossHook(deferred=True)
    hook.before_train(FakeRunner(model=model, cfg={}, optim_wrapper=wrapper))
    before = model.weight.detach().clone()
    wrapper.update_params(model(torch.ones(1, 2)).sum() + (float('inf') if rank else 0.0))
    try:
        hook.check_pending()
        message = ''
    except FloatingPointError as error:
        message = str(error)
    return dict(changed=not torch.equal(model.weight, before), message=message)


def linear_worker(rank: int, faster: list[bool]) -> str:
    """What a process chooses whose own measurement says ``faster[rank]``."""
    with mock.patch.object(fast_linear, '_chosen', 'fastest'):
        with mock.patch.object(fast_linear, '_convolution_is_faster', lambda: faster[rank]):
            agree_on_cpu_linear()
        return fast_linear._chosen
