"""Every algorithm, metric and hook on a simulated GPU: devices are not mixed, and waits of the host are bounded."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.hooks import LoggerHook
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from torch import nn
from torch.utils.data._utils.pin_memory import pin_memory

from mmsigma.datasets import PseudoMaskRounds
from mmsigma.engine.hooks import CollapseHook, DeferredRuntimeInfoHook, MomentumTeacherHook, NonFiniteLossHook
from mmsigma.engine.reclustering import ReclusterSettings, recluster
from mmsigma.evaluation.alignment.frame_cost import ALIGNMENT_COSTS, PathChoice
from mmsigma.evaluation.alignment.path_error import diagonal_error, path_error
from mmsigma.ops import kmeans, sinkhorn, sinkhorn_labels
from mmsigma.ops.warping_paths import PATH_KINDS
from mmsigma.registry import METRICS
from mmsigma.utils.seeding import seed_everything
from tests.algorithms import CASES, masked_clips, total
from tests.engine.fakes import Colours, FakeRunner
from tests.simulated_cuda import CUDA, DeviceError, SimulatedTensor, simulated_cuda, to_device
from tests.vos_data import draw_video, write_frames

# Number of times that the host waits in forward and backward pass of a batch. Losses of whole videos look for what is
# not finite, and draw on the CPU.
MOST_WAITS = {
    'repetition counter': 10,
    'anchors': 3,
    'short and long term': 5,
    'masks alone': 5,
    'random walk': 6,
    'photometric': 2,
    'GTALoss': 7,
    'D2TWLoss': 7,
    'SoftDTWLoss': 7,
    'LAVLoss': 7,
    'TCCLoss': 7,
    'TranscriptHead': 14,
    'OrderHead': 10,
    'SpeedHead': 6,
}


class TestSimulation:
    def test_what_a_gpu_refuses(self) -> None:
        on_cpu = torch.ones(3)
        with simulated_cuda():
            there = to_device(torch.ones(3))
            for mixture in (
                lambda: there + on_cpu,
                lambda: torch.cat([there, on_cpu]),
                lambda: on_cpu[there.long()],
                lambda: there.index_put((torch.zeros(3, dtype=torch.long, device=CUDA),), on_cpu),
                lambda: torch.rand(3, generator=torch.Generator(), device=CUDA),
                lambda: there.numpy(),
                lambda: torch.zeros(()).add_(there.sum()),
                lambda: torch.sum(there, 0, out=torch.zeros(())),
                lambda: there.index_add(0, torch.tensor(0), there[:1]),
                lambda: torch.lerp(there, there, torch.tensor(0.5)),
            ):
                with pytest.raises((DeviceError, TypeError)):
                    mixture()
            assert (there + 1).device == CUDA and (there * torch.tensor(2.0)).device == CUDA

    def test_what_the_host_waits_for(self) -> None:
        with simulated_cuda() as mode:
            there = to_device(torch.arange(4.0))
            for waits in (
                there.sum().item,
                there.tolist,
                there.cpu,
                there.nonzero,
                lambda: there[there > 1],
                lambda: bool((there > 1).all()),
                lambda: torch.ones(3).to(CUDA),
                lambda: torch.tensor([1, 2], device=CUDA),
                lambda: torch.ones(3).to(CUDA, non_blocking=True),  # not pinned
                lambda: torch.linalg.inv(to_device(torch.eye(2))),
            ):
                before = sum(mode.waits.values())
                waits()
                assert sum(mode.waits.values()) > before
            before = sum(mode.waits.values())
            torch.ones(3).pin_memory().to(CUDA, non_blocking=True).sum().add_(there.amax())
            torch.zeros(4, device=CUDA)[there.long()].sort()
            assert sum(mode.waits.values()) == before

    def test_values_and_gradients(self) -> None:
        layer, inputs = nn.Linear(3, 2), torch.randn(4, 3)
        layer(inputs).square().sum().backward()
        expected, layer.weight.grad = layer.weight.grad, None
        with simulated_cuda():
            moved = to_device(layer)
            moved(to_device(inputs)).square().sum().backward()
            found = moved.weight.grad
            assert isinstance(found, SimulatedTensor) and found.device == CUDA
            assert torch.equal(found.cpu(), expected)


@pytest.mark.parametrize('name', [name for name, case in CASES.items() if case.train])
def test_training(name: str) -> None:
    """Losses and gradients are those of the CPU."""
    case = CASES[name]
    model, data = case.build().train(), case.train()
    twin = copy.deepcopy(model)
    seed_everything(1)
    expected = model(**model.data_preprocessor(copy.deepcopy(data), True), mode='loss')
    total(expected).backward()
    with simulated_cuda() as mode:
        to_device(twin)
        seed_everything(1)
        losses = twin(**twin.data_preprocessor(pin_memory(data), True), mode='loss')
        loss = total(losses)
        loss.backward()
        assert sum(mode.waits.values()) <= MOST_WAITS.get(name, 0), mode.waits
        assert losses.keys() == expected.keys() and loss.device == CUDA
        torch.testing.assert_close(loss.detach().cpu(), total(expected).detach())
        for (key, one), two in zip(model.named_parameters(), twin.parameters(), strict=True):
            assert (one.grad is None) == (two.grad is None), key
            if one.grad is not None:
                torch.testing.assert_close(two.grad.cpu(), one.grad, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize('name', [name for name, case in CASES.items() if case.test])
def test_prediction(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is predicted is that of the CPU, and the metric can be computed of it."""
    monkeypatch.chdir(tmp_path)
    case = CASES[name]
    model, data = case.build().eval(), case.test()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        expected = model.test_step(copy.deepcopy(data))
        with simulated_cuda():
            to_device(twin)
            found = twin.test_step(data)
            if case.metric:
                results = []
                for samples in (expected, found):
                    metric = METRICS.build(case.metric)
                    metric.dataset_meta = {}
                    metric.process(data, [sample.to_dict() for sample in samples])
                    results.append(metric.evaluate(len(samples)))
                assert results[0] == pytest.approx(results[1], rel=1e-4, nan_ok=True)
            fields = ('mean_features', 'embeddings', 'pred_joints', 'pred_count', 'pred_score')
            for one, two in zip(expected, found, strict=True):
                for field in fields:
                    if field in one:
                        value = getattr(two, field)
                        value = value.cpu() if isinstance(value, torch.Tensor) else value
                        torch.testing.assert_close(value, getattr(one, field), atol=1e-4, rtol=1e-3)


def test_a_training_step_of_sigma_waits_at_the_logging_interval_only() -> None:
    case = CASES['SIGMA with an MLP']
    model = case.build().train()
    with simulated_cuda() as mode:
        to_device(model)
        wrapper = OptimWrapper(torch.optim.AdamW(model.parameters(), fused=True))
        hub = MessageHub.get_instance('simulated')
        runner = FakeRunner(
            model=model,
            cfg={},
            optim_wrapper=wrapper,
            message_hub=hub,
            hooks=[LoggerHook(interval=3)],
            train_dataloader=range(7),
        )
        hooks = [NonFiniteLossHook(), DeferredRuntimeInfoHook(), CollapseHook(window=6, warmup=6)]
        hooks[0].before_train(runner)
        waits = []
        for runner.iter in range(7):
            before = sum(mode.waits.values())
            outputs = model.train_step(pin_memory(masked_clips()), wrapper)
            for hook in hooks:
                hook.after_train_iter(runner, runner.iter, outputs=outputs)
            waits.append(sum(mode.waits.values()) - before)
        # outputs and checks of updates are each read at once; a collapse is looked for in every window
        assert [number > 0 for number in waits] == [False, False, True, False, False, True, True]
        assert waits[2] == 2, mode.waits
    assert len(hub.log_scalars['train/loss'].data[0]) == 7


def test_a_diverged_step_is_left_out_on_the_device() -> None:
    model = nn.Linear(2, 2)
    with simulated_cuda():
        to_device(model)
        wrapper = OptimWrapper(torch.optim.AdamW(model.parameters(), fused=True))
        runner = FakeRunner(model=model, cfg={}, optim_wrapper=wrapper)
        hook = NonFiniteLossHook()
        hook.before_train(runner)
        before = model.weight.detach().cpu()
        wrapper.update_params(model(to_device(torch.tensor([[1.0, float('inf')]]))).sum())
        assert torch.equal(model.weight.detach().cpu(), before)
        with pytest.raises(FloatingPointError, match='the loss is not finite in iteration 0'):
            hook.before_write_checkpoint(runner)


def test_momentum_teacher() -> None:
    case = CASES['DINO']
    model = case.build().train()
    with simulated_cuda() as mode:
        to_device(model)
        before = next(model.teacher.parameters()).detach().clone()
        next(model.backbone.parameters()).data.add_(1.0)
        MomentumTeacherHook().after_train_iter(FakeRunner(model=model, iter=0, max_iters=10), 0)
        assert not mode.waits
        assert not torch.equal(next(model.teacher.parameters()).cpu(), before.cpu())


def test_reclustering(tmp_path: Path) -> None:
    videos = []
    for name, length in dict(ant=6, bee=5).items():
        frames = draw_video(length, 2)[0]
        write_frames(tmp_path / 'videos' / name, frames, [f'{number:03d}' for number in range(length)])
        videos.append(str(tmp_path / 'videos' / name))
    settings = ReclusterSettings(num_clusters=3, size=32, max_share=0.6, num_iters=10)
    rounds = [PseudoMaskRounds(tmp_path / name) for name in ('cpu', 'cuda')]
    recluster(Colours(), videos, 'frames', rounds[0], 0, settings)
    with simulated_cuda():
        recluster(to_device(Colours()), videos, 'frames', rounds[1], 0, settings)
    for video in videos:
        one, two = (some.load(0, video) for some in rounds)
        assert (one.labels == two.labels).all() and (one.kept == two.kept).all()


def test_errors_of_paths() -> None:
    generator = torch.Generator().manual_seed(0)
    pair = [(torch.randn(length, 4, generator=generator), torch.arange(length) * 3 // length) for length in (12, 15)]
    choices = [PathChoice(cost, path) for cost in ALIGNMENT_COSTS for path in PATH_KINDS]
    expected = [path_error(*pair, 3, choice) for choice in choices], diagonal_error(pair[0][1], pair[1][1], 3)
    with simulated_cuda():
        moved = [to_device(video) for video in pair]
        assert [path_error(*moved, 3, choice) for choice in choices] == expected[0]
        assert diagonal_error(moved[0][1], moved[1][1], 3) == expected[1]


def test_assignments() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = nn.functional.normalize(torch.randn(60, 8, generator=generator), dim=1)
    soft, hard = sinkhorn(scores), sinkhorn_labels(scores)
    clusters = kmeans(scores, 3, generator=torch.Generator().manual_seed(1)).labels
    with simulated_cuda() as mode:
        moved = to_device(scores)
        # a processor exponentiates once, a GPU in every iteration
        torch.testing.assert_close(sinkhorn(moved).cpu(), soft, atol=1e-6, rtol=1e-5)
        before = mode.waits.copy()
        labels = sinkhorn_labels(moved)
        assert mode.waits == before  # none for the whole of Sinkhorn
        assert torch.equal(labels.cpu(), hard)
        assert torch.equal(kmeans(moved, 3, generator=torch.Generator().manual_seed(1)).labels.cpu(), clusters)
