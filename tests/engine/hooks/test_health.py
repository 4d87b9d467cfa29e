"""Signs of collapse, and the first cause of a loss that is not finite."""

import pytest
import torch
from mmengine.optim import OptimWrapper

from mmsigma.engine.hooks import CollapseHook, NonFiniteLossHook, health
from tests.engine.fakes import FakeRunner, batch


def watch(hook: CollapseHook, steps: int, **outputs: float) -> list[str]:
    runner = FakeRunner()
    for runner.iter in range(steps):
        hook.after_train_iter(runner, 0, outputs={name: torch.tensor(value) for name, value in outputs.items()})
    return runner.warnings


def test_collapse_hook_is_silent_when_all_is_well():
    assert not watch(CollapseHook(window=5, warmup=5), 20, assignment_entropy=0.97, relative_level=0.8)


def test_collapse_hook_names_few_prototypes_once_per_window():
    warnings = watch(CollapseHook(window=5, warmup=10), 20, assignment_entropy=0.1, relative_level=0.8)
    assert len(warnings) == 3  # after 10, 15 and 20 iterations
    assert all('few prototypes get nearly all labels' in text for text in warnings)


def test_collapse_hook_judges_every_level():
    (text,) = watch(CollapseHook(window=5, warmup=5), 5, relative_level_0=0.7, relative_level_1=0.999)
    assert 'relative_level_1 is 0.999' in text and '2 ln K' in text


def test_collapse_hook_compares_the_spread_of_a_regressed_target_with_its_start():
    hook, runner = CollapseHook(window=5, warmup=5), FakeRunner()
    for runner.iter in range(15):
        spread = (2.0, 1.0, 0.1)[runner.iter // 5]
        hook.after_train_iter(runner, 0, outputs=dict(target_std=torch.tensor(spread)))
    (text,) = runner.warnings
    assert 'iteration 15: target_std is 0.1, it was 2 initially' in text


class Parts(torch.nn.ModuleDict):
    """A model of two parts and a loss."""

    def __init__(self) -> None:
        super().__init__(dict(backbone=torch.nn.Linear(2, 2), target=torch.nn.Linear(2, 2)))
        self.infinite = 0.0

    def loss(self, inputs: torch.Tensor) -> torch.Tensor:
        return (self.backbone(inputs) - self.target(inputs)).square().mean() + self.infinite


def spoil_pixels(model: Parts, data: dict) -> None:
    data['inputs'][1] = torch.full((3, 2, 4, 4), float('nan'))


def spoil_parameter(model: Parts, data: dict) -> None:
    model.backbone.bias.data[0] = float('inf')


def spoil_target(model: Parts, data: dict) -> None:
    model.target.register_forward_hook(lambda part, inputs, output: output * float('nan'), prepend=True)


def spoil_loss(model: Parts, data: dict) -> None:
    model.infinite = float('inf')


def spoil_gradient(model: Parts, data: dict) -> None:
    model.target.weight.register_hook(lambda gradient: gradient * float('inf'))


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (spoil_pixels, r'loss is nan in iteration 0.*clip of broken\.mp4 already contains NaN'),
        (spoil_parameter, r'loss is inf.*1 parameters were not finite before this step, for example backbone\.bias'),
        (spoil_target, r'loss is nan.*model\.target is the first part whose output is not finite'),
        (spoil_loss, r'loss is inf.*outputs of model\.backbone, model\.target: it overflowed after that'),
        (spoil_gradient, r'1 of 4 gradients are not finite in iteration 0.*target\.weight.*although the loss is'),
    ],
)
def test_first_cause_is_named_before_the_parameters_change(spoil, message: str) -> None:
    data, model = batch([], []), Parts()
    data['data_samples'][1].set_metainfo(dict(filename='broken.mp4'))
    runner = FakeRunner(model=model, cfg={}, optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0)))
    hook = NonFiniteLossHook()
    hook.before_train(runner)
    for spoilt in (False, True):
        if spoilt:
            spoil(model, data)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        hook.before_train_iter(runner, 0, data)
        loss = model.loss(torch.stack(data['inputs'])[:, 0, 0, 0, :2] + 1)
        if spoilt:
            with pytest.raises(FloatingPointError, match=message):
                runner.optim_wrapper.update_params(loss)
        else:
            runner.optim_wrapper.update_params(loss)
        unchanged = [torch.equal(value, before[name]) for name, value in model.state_dict().items()]
        assert all(unchanged) if spoilt else not any(unchanged)


class ScaledWrapper(OptimWrapper):
    """Loss scaling as for float16, on the CPU."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(optimizer)
        self.scaler = torch.amp.GradScaler('cpu', init_scale=2.0**120)

    def backward(self, loss: torch.Tensor, **kwargs) -> None:
        self.scaler.scale(loss).backward()

    def step(self, **kwargs) -> None:
        self.scaler.step(self.optimizer)
        self.scaler.update()


@pytest.mark.parametrize('fused', [True, False])
def test_what_the_scaler_skips_stops_no_run(fused: bool) -> None:
    """Fused optimisers are called with an overflow, and make no step themselves."""
    model = Parts()
    wrapper = ScaledWrapper(torch.optim.SGD(model.parameters(), lr=1.0, fused=fused))
    hook = NonFiniteLossHook()
    hook.before_train(FakeRunner(model=model, cfg={}, optim_wrapper=wrapper))
    before, inputs = model.backbone.weight.clone(), torch.full((1, 2), 1e3)
    wrapper.update_params(model.loss(inputs))  # 2 ** 120 times a thousand is infinite
    assert torch.equal(model.backbone.weight, before) and wrapper.scaler.get_scale() == 2.0**119
    wrapper.scaler.update(1.0)
    spoil_gradient(model, {})
    with torch.no_grad():
        model.backbone.weight.copy_(before)
    wrapper.update_params(model.loss(inputs))  # an overflow that no scale prevents is the scaler's as well
    assert torch.equal(model.backbone.weight, before)


def test_an_infinite_update_of_a_fused_optimiser_is_found_without_a_scaler() -> None:
    model = Parts()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0, fused=True))
    NonFiniteLossHook().before_train(FakeRunner(model=model, cfg={}, optim_wrapper=wrapper))
    spoil_gradient(model, {})
    with pytest.raises(FloatingPointError, match='1 of 4 gradients are not finite'):
        wrapper.update_params(model.loss(torch.ones(1, 2)))


@pytest.mark.parametrize('scaled', [False, True])
@pytest.mark.parametrize('spoil', [spoil_loss, spoil_gradient])
def test_a_deferred_check_prevents_the_step_at_once_and_stops_the_run_later(spoil, scaled: bool) -> None:
    model = Parts()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    wrapper = ScaledWrapper(optimizer) if scaled else OptimWrapper(optimizer)
    if scaled:
        wrapper.scaler = torch.amp.GradScaler('cpu', init_scale=1.0)
    runner = FakeRunner(model=model, cfg={}, optim_wrapper=wrapper)
    hook = NonFiniteLossHook(deferred=True)
    hook.before_train(runner)
    inputs = torch.ones(1, 2)
    wrapper.update_params(model.loss(inputs))
    hook.before_write_checkpoint(runner)  # nothing is wrong so far
    before = {name: value.clone() for name, value in model.state_dict().items()}
    handle = model.target.weight.register_hook(lambda gradient: gradient * float('inf'))
    model.infinite = float('inf') if spoil is spoil_loss else 0.0
    runner.iter = 1
    wrapper.update_params(model.loss(inputs))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert optimizer.state[model.backbone.weight]['step'].item() == 1  # it does not even count as a step
    handle.remove()
    model.infinite, runner.iter = 0.0, 2
    wrapper.update_params(model.loss(inputs))
    assert not torch.equal(model.backbone.weight, before['backbone.weight'])
    if scaled and spoil is spoil_gradient:  # that is the scaler's, which has only reduced the scale
        hook.before_write_checkpoint(runner)
        return
    match = 'the loss is not finite in iteration 1' if spoil is spoil_loss else '1 of 4 gradients.*iteration 1.*target'
    with pytest.raises(FloatingPointError, match=match):
        hook.before_write_checkpoint(runner)
    hook.before_write_checkpoint(runner)  # reported once


def test_optimisers_that_do_not_listen_are_checked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, 'reads_every_iteration', lambda model: False)
    for optimizer, deferred in (
        (torch.optim.AdamW(Parts().parameters(), fused=True), True),
        (torch.optim.AdamW(Parts().parameters()), False),
        (torch.optim.SGD(Parts().parameters(), lr=1.0), False),
    ):
        hook = NonFiniteLossHook()
        hook.before_train(FakeRunner(model=Parts(), cfg={}, optim_wrapper=OptimWrapper(optimizer)))
        assert hook.deferred == deferred


def test_compiled_steps_are_not_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine compiles the whole training step, with what hooks have put into the optimiser."""
    graphs = []

    def count(graph: torch.fx.GraphModule, inputs: list) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    model = Parts()
    wrapper = OptimWrapper(torch.optim.AdamW(model.parameters(), fused=True))
    runner = FakeRunner(model=model, cfg=dict(compile=True), optim_wrapper=wrapper)
    hook = NonFiniteLossHook(deferred=True)
    hook.before_train(runner)
    torch._dynamo.reset()

    @torch.compile(backend=count)
    def step(inputs: torch.Tensor) -> None:
        wrapper.update_params(model.loss(inputs))

    numbers = []
    for runner.iter in range(12):
        step(torch.ones(1, 2))
        numbers.append(len(graphs))
    assert numbers[0] > 0 and len(set(numbers[1:])) == 1
    assert len(hook.pending) == 12
