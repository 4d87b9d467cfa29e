"""What the Runner adds: safe and strict checkpoints, whole or absent, quiet consoles, and training on the CPU."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.logging import HistoryBuffer
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import Runner
from torch import nn

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.engine.runner import VideoRunner
from mmsigma.models.counting.inner_steps import InnerStepsDistributedDataParallel
from mmsigma.ops import cpu_linear_in_use, fast_linear
from tests.engine.toy_runs import Toy, toy_run


class Wrong(Toy):
    """A toy with a head of another size."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1, 2)


@pytest.fixture
def state(tmp_path: Path) -> dict[str, torch.Tensor]:
    """Weights of 1, 2, 3 and 4, in ``toy.pth``."""
    state = {name: torch.full_like(value, number) for number, (name, value) in enumerate(Toy().state_dict().items(), 1)}
    torch.save(dict(state_dict=state), tmp_path / 'toy.pth')
    return state


def load(folder: Path, file: str = 'toy.pth', model: nn.Module | None = None, testing: bool = False, **cfg) -> Toy:
    with toy_run(folder / 'run', model=model, cfg=Config(cfg)) as runner:
        runner._testing = testing
        runner.load_checkpoint(str(folder / file))
        return runner.model


def same(model: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize('name', ['flatten_collate', 'mmsigma.flatten_collate', 'pseudo_collate'])
def test_collation_is_found_with_and_without_scope(name: str) -> None:
    loader = dict(batch_size=2, dataset=[dict(inputs=torch.ones(1))] * 4, sampler=dict(type='DefaultSampler'))
    loader = VideoRunner.build_dataloader({**loader, 'collate_fn': dict(type=name)}, seed=0)
    assert len(next(iter(loader))['inputs']) == 2


@pytest.mark.parametrize('scope', ['', 'mmsigma.'])
def test_wrappers_are_found_with_and_without_scope(scope: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with toy_run(tmp_path) as runner:
        monkeypatch.setattr(Runner, 'wrap_model', lambda self, cfg, model: MODEL_WRAPPERS.get(cfg['type']))
        found = runner.wrap_model(dict(type=f'{scope}InnerStepsDistributedDataParallel'), nn.Linear(1, 1))
    assert found is InnerStepsDistributedDataParallel


class TestLoading:
    def test_whole_model(self, state: dict, tmp_path: Path) -> None:
        assert same(load(tmp_path), state) and same(load(tmp_path, testing=True), state)

    def test_new_head_may_keep_its_weights_in_training_alone(self, state: dict, tmp_path: Path) -> None:
        backbone = {name: value for name, value in state.items() if name.startswith('backbone')}
        torch.save(backbone, tmp_path / 'backbone.pth')
        model = load(tmp_path, 'backbone.pth')
        assert same(model.backbone, {name.removeprefix('backbone.'): value for name, value in backbone.items()})
        with pytest.raises(CheckpointError, match=r"missing 2 \['head\.bias', 'head\.weight'\]"):
            load(tmp_path, 'backbone.pth', testing=True)

    def test_incomplete_backbone_is_always_an_error(self, state: dict, tmp_path: Path) -> None:
        del state['backbone.bias']
        torch.save(state, tmp_path / 'part.pth')
        with pytest.raises(
            CheckpointError, match=r"part\.pth lacks 1 parameters of the backbone: \['backbone\.bias'\]"
        ):
            load(tmp_path, 'part.pth')

    def test_backbone_alone_unless_there_is_a_head_to_test(self, state: dict, tmp_path: Path) -> None:
        before = Wrong().state_dict()
        wrong = Wrong()
        wrong.load_state_dict(before)
        model = load(tmp_path, model=wrong, load_backbone_only=True)
        assert torch.equal(model.backbone.weight, state['backbone.weight'])
        assert torch.equal(model.head.weight, before['head.weight'])
        with pytest.raises(CheckpointError, match='another size'):
            load(tmp_path, model=Wrong())
        with pytest.raises(CheckpointError, match='another size'):
            load(tmp_path, model=Wrong(), load_backbone_only=True, testing=True)

    def test_trust_is_not_kept_in_the_config(self, state: dict, tmp_path: Path) -> None:
        torch.save(dict(state_dict=state, args=SimpleNamespace(lr=1)), tmp_path / 'objects.pth')
        with pytest.raises(CheckpointError, match='could execute code'):
            load(tmp_path, 'objects.pth')
        given = Config(dict(trust_checkpoints=True))
        with toy_run(tmp_path / 'run', cfg=given) as runner:
            runner.load_checkpoint(str(tmp_path / 'objects.pth'))
            assert same(runner.model, state) and 'trust_checkpoints' not in runner.cfg
        assert given.trust_checkpoints  # the caller's config is left as it was

    def test_strictness_and_keys(self, state: dict, tmp_path: Path) -> None:
        torch.save(dict(state_dict={**state, 'more': torch.ones(1)}), tmp_path / 'more.pth')
        with toy_run(tmp_path / 'run') as runner:
            runner.load_checkpoint(str(tmp_path / 'toy.pth'), strict=True)
            with pytest.raises(CheckpointError, match=r"unexpected 1 \['more'\]"):
                runner.load_checkpoint(str(tmp_path / 'more.pth'), strict=True)
            with pytest.raises(NotImplementedError, match='revise_keys is not supported'):
                runner.load_checkpoint(str(tmp_path / 'toy.pth'), revise_keys=[('^a', 'b')])
            with pytest.raises(FileNotFoundError, match='nowhere.pth'):
                runner.load_checkpoint(str(tmp_path / 'nowhere.pth'))

    def test_hooks_see_the_state_of_the_model(self, state: dict, tmp_path: Path) -> None:
        seen = []
        with toy_run(tmp_path / 'run') as runner:
            runner.call_hook = lambda name, **given: seen.append((name, given['checkpoint']['state_dict']))
            torch.save(dict(module={f'module.{name}': value for name, value in state.items()}), tmp_path / 'a.pth')
            runner.load_checkpoint(str(tmp_path / 'a.pth'))
        ((name, given),) = seen
        assert name == 'after_load_checkpoint' and given.keys() == state.keys() and torch.equal(
            given['head.bias'], state['head.bias']
        )  # fmt: skip


class TestSaving:
    def test_history_is_plain_and_comes_back(self, tmp_path: Path) -> None:
        with toy_run(tmp_path) as runner:
            runner.message_hub.update_scalar('train/loss', 2.5, 3)
            runner.save_checkpoint(str(tmp_path), 'a.pth', save_optimizer=False)
            assert isinstance(runner.message_hub.log_scalars['train/loss'], HistoryBuffer)
            content = torch.load(tmp_path / 'a.pth', weights_only=True)
            found = runner.load_checkpoint(str(tmp_path / 'a.pth'))['message_hub']['log_scalars']['train/loss']
        values, counts, _ = content['message_hub']['log_scalars']['train/loss']
        assert (values.tolist(), counts.tolist()) == ([2.5], [3])
        assert found.current() == 2.5 and [part.tolist() for part in found.data] == [[2.5], [3]]

    @pytest.mark.parametrize('error', [OSError('No space left on device'), RuntimeError('enforce fail at inline')])
    def test_failure_leaves_what_was_there(
        self, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(content: object, target: object, *args: object, **kwargs: object) -> None:
            Path(getattr(target, 'name', tmp_path / '.a.pth.partial')).write_bytes(b'half')
            raise error

        with toy_run(tmp_path) as runner:
            with monkeypatch.context() as patch:
                patch.setattr(torch, 'save', fail)
                with pytest.raises(OSError, match=rf'a\.pth could not be written \({error}\); there is no earlier one'):
                    runner.save_checkpoint(str(tmp_path), 'a.pth', save_optimizer=False)
            runner.save_checkpoint(str(tmp_path), 'a.pth', save_optimizer=False)
            before = (tmp_path / 'a.pth').read_bytes()
            monkeypatch.setattr(torch, 'save', fail)
            with pytest.raises(OSError, match=r'the last complete one is .*a\.pth'):
                runner.save_checkpoint(str(tmp_path), 'a.pth', save_optimizer=False)
        assert (tmp_path / 'a.pth').read_bytes() == before and not list(tmp_path.glob('.*'))


@pytest.mark.parametrize('verbose', [False, True])
def test_console_shows_warnings_and_the_file_everything(verbose: bool, tmp_path: Path) -> None:
    with toy_run(tmp_path, cfg=Config(dict(verbose=verbose))) as runner:
        files = [handler for handler in runner.logger.handlers if isinstance(handler, logging.FileHandler)]
        consoles = [handler for handler in runner.logger.handlers if handler not in files]
        assert files and consoles
        assert {handler.level for handler in consoles} == {logging.INFO if verbose else logging.WARNING}
        assert max(handler.level for handler in files) <= logging.INFO
        runner.logger.info('for the file')
        runner.logger.warning('"FileClient" will be deprecated in future')
        (path,) = tmp_path.glob('*/*.log')
        assert 'for the file' in path.read_text() and 'FileClient' not in path.read_text()


class Nothing(BaseMetric):
    """A metric that may write files."""

    def __init__(self, out_dir: str | None = None) -> None:
        super().__init__()
        self.out_dir = out_dir

    def process(self, data_batch: object, data_samples: object) -> None: ...

    def compute_metrics(self, results: list) -> dict: ...


def test_metrics_write_beside_the_log(tmp_path: Path) -> None:
    places = [None, 'masks', str(tmp_path / 'elsewhere')]
    with toy_run(tmp_path / 'run') as runner:
        found = runner.build_evaluator([Nothing(place) for place in places]).metrics
        assert [metric.out_dir for metric in found] == [None, str(Path(runner.log_dir, 'masks')), places[2]]
    assert Path(runner.log_dir).parent == tmp_path / 'run'


@pytest.mark.parametrize(('given', 'expected'), [({}, 'highest'), (dict(float32_matmul_precision='high'), 'high')])
def test_precision_of_matrix_products(given: dict, expected: str, tmp_path: Path) -> None:
    with toy_run(tmp_path, cfg=Config(given)):
        assert torch.get_float32_matmul_precision() == expected


def test_way_of_linear_layers_on_cpus(tmp_path: Path) -> None:
    with toy_run(tmp_path, cfg=Config(dict(cpu_linear='convolution'))):
        assert fast_linear._chosen == 'convolution'
    with toy_run(tmp_path):
        assert fast_linear._chosen == 'fastest'


@pytest.mark.parametrize(('given', 'expected'), [('fastest', 'convolution'), ('matmul', 'matmul')])
def test_resumed_runs_keep_their_way(
    given: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving = dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)))
    with toy_run(tmp_path, cfg=Config(dict(cpu_linear='convolution')), **saving) as runner:
        runner.train()
    monkeypatch.setattr(fast_linear, '_chosen', 'fastest')
    with toy_run(tmp_path, cfg=Config(dict(cpu_linear=given)), resume=True, **saving) as runner:
        runner.load_or_resume()
        assert cpu_linear_in_use() == expected


def test_frozen_models_are_not_wrapped() -> None:
    """DDP rejects a model without anything to train."""
    runner = SimpleNamespace(distributed=True)
    model = Toy().requires_grad_(False)
    assert VideoRunner.wrap_model(runner, None, model) is model
