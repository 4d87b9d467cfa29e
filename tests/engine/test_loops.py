"""Randomness of every iteration, resuming in the middle of an epoch, and classification by nearest neighbours."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.hooks import Hook
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmsigma.datasets import SeededSampler
from mmsigma.datasets.transforms import UnreadableVideoError
from mmsigma.engine.loops import KNNTestLoop, ResumableEpochLoop
from tests.engine.fakes import FakeRunner
from tests.engine.toy_runs import Numbers, toy_run


class Stop(Hook):
    """Ends the process's patience before an iteration."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        if runner.iter == self.iteration:
            raise KeyboardInterrupt


def saving(interval: int) -> dict:
    return dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=interval, max_keep_ckpts=-1))


class TestTraining:
    def test_videos_are_drawn_with_seeds_of_run_and_epoch(self, tmp_path: Path) -> None:
        with toy_run(tmp_path) as runner:
            model = runner.train()
            seeds = runner.train_dataloader.dataset.seeds
        assert sorted(seeds) == [(5, epoch, index) for epoch in range(2) for index in range(12)]
        assert [len(numbers) for numbers, _ in model.seen] == [4] * 6

    def test_numbers_drawn_in_an_iteration_are_those_of_seed_and_iteration(self, tmp_path: Path) -> None:
        with toy_run(tmp_path / 'a') as runner:
            first = [noise for _, noise in runner.train().seen]
        with toy_run(tmp_path / 'b') as runner:
            torch.manual_seed(99), np.random.seed(99)
            runner.register_hook(Draws())
            again = [noise for _, noise in runner.train().seen]
        with toy_run(tmp_path / 'c', randomness=dict(seed=6)) as runner:
            other = [noise for _, noise in runner.train().seen]
        assert first == again and len({*first, *other}) == 12

    @pytest.mark.parametrize('last', [2, 3, 4])
    def test_resumed_run_equals_an_uninterrupted_one(self, last: int, tmp_path: Path) -> None:
        """In the middle of the first epoch, at its end, and in the second."""
        with toy_run(tmp_path / 'whole', default_hooks=saving(10)) as runner:
            whole = runner.train()
        with toy_run(tmp_path / 'cut', default_hooks=saving(1)) as runner:
            runner.register_hook(Stop(last), 'HIGHEST')
            with pytest.raises(KeyboardInterrupt):
                runner.train()
        assert (tmp_path / 'cut' / 'last_checkpoint').read_text().endswith(f'iter_{last}.pth')
        with toy_run(tmp_path / 'cut', default_hooks=saving(10), resume=True) as runner:
            resumed = runner.train()
            assert (runner.iter, runner.epoch) == (6, 2)
        assert resumed.seen == whole.seen[last:]
        assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())

    def test_epochs_end_once(self, tmp_path: Path) -> None:
        """What is left of an epoch whose last iteration was saved is its end, with validation for one."""
        ended = []
        with toy_run(tmp_path, default_hooks=saving(3)) as runner:
            runner.register_hook(Ends(ended, fail=True), 'VERY_LOW')
            with pytest.raises(KeyboardInterrupt):
                runner.train()
        with toy_run(tmp_path, default_hooks=saving(3), resume=True) as runner:
            runner.register_hook(Ends(ended), 'VERY_LOW')
            runner.train()
        assert ended == [(0, 3), (0, 3), (1, 6)]

    def test_epoch_is_restarted_if_the_iteration_is_not_in_it(self, tmp_path: Path, warnings_logged: list[str]) -> None:
        with toy_run(tmp_path, default_hooks=saving(1)) as runner:
            runner.register_hook(Stop(5), 'HIGHEST')
            with pytest.raises(KeyboardInterrupt):
                runner.train()
        with toy_run(tmp_path, dataset=Numbers(8), resume=True) as runner:  # iteration 5 is of the third epoch
            model = runner.train()
        assert [message for message in warnings_logged if 'iteration 5 is not in epoch 1' in message]
        assert sorted(sum((numbers for numbers, _ in model.seen), [])) == list(range(8))

    def test_every_rank_draws_numbers_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seeds = set()
        for rank in range(2):
            monkeypatch.setattr('mmsigma.engine.loops.get_rank', lambda rank=rank: rank)
            monkeypatch.setattr('mmsigma.engine.loops.get_world_size', lambda: 2)
            for iteration in range(5):
                loop = SimpleNamespace(runner=SimpleNamespace(seed=2**62), _iter=iteration)
                seeds.add(ResumableEpochLoop._iteration_seed(loop))
        assert len(seeds) == 10 and all(0 <= seed < 2**63 for seed in seeds)

    def test_epochs_that_are_validated(self) -> None:
        """From the first one on, at intervals, and the last one."""
        validated = []
        for epoch in range(1, 8):
            loop = SimpleNamespace(
                runner=SimpleNamespace(val_loop=object()), _epoch=epoch, val_begin=2, val_interval=2, _max_epochs=7
            )
            validated += [epoch] * ResumableEpochLoop._validates(loop)
        assert validated == [2, 4, 6, 7]

    def test_other_samplers(self, tmp_path: Path) -> None:
        loader = DataLoader(Numbers(), 4)
        with toy_run(tmp_path, train_dataloader=loader) as runner:
            with pytest.raises(
                ValueError, match="sampler is SequentialSampler, which .* set type='SeededSampler' there"
            ):
                runner.train()

    def test_less_than_a_batch(self, tmp_path: Path) -> None:
        numbers = Numbers(3)
        loader = DataLoader(numbers, 4, sampler=SeededSampler(numbers), drop_last=True)
        with toy_run(tmp_path, train_dataloader=loader) as runner:
            with pytest.raises(
                ValueError, match=r'batch_size is 4, but there are only 3 videos, 3 for each of 1 processes: use'
            ):
                runner.train()


class Draws(Hook):
    """Disturbs the global generators between the iterations."""

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        torch.rand(7), np.random.rand(3)


class Ends(Hook):
    """Writes down the ends of epochs, and fails at the first on demand."""

    def __init__(self, ended: list, fail: bool = False) -> None:
        self.ended, self.fail = ended, fail

    def after_train_epoch(self, runner) -> None:
        self.ended.append((runner.epoch, runner.iter))
        if self.fail:
            raise KeyboardInterrupt


class Directions(torch.utils.data.Dataset):
    """Videos whose features are directions in the plane, in degrees, with their labels; None cannot be read."""

    def __init__(self, angles: list[float | None], labels: list[int | None], folder: str = '') -> None:
        self.angles, self.labels, self.folder = angles, labels, folder

    def __len__(self) -> int:
        return len(self.angles)

    def get_data_info(self, index: int) -> dict[str, str]:
        return dict(filename=f'{self.folder}{index}.mp4')

    def __getitem__(self, index: int) -> dict:
        angle, label = self.angles[index], self.labels[index]
        if angle is None:
            raise UnreadableVideoError(f'{self.folder}{index}.mp4', 'broken')
        sample = ActionDataSample(metainfo=dict(filename=f'{self.folder}{index}.mp4'))
        if label is not None:
            sample.set_gt_label(label)
        place = torch.deg2rad(torch.tensor(float(angle)))
        return dict(inputs=torch.stack([place.cos(), place.sin()]), data_samples=sample)


class Same(nn.Module):
    """Takes its input for features."""

    def test_step(self, batch: dict) -> list[ActionDataSample]:
        assert not self.training and not torch.is_grad_enabled()
        for features, sample in zip(batch['inputs'], batch['data_samples'], strict=True):
            sample.mean_features = features
        return batch['data_samples']


@pytest.fixture
def classify() -> Callable[..., tuple[dict[str, float], FakeRunner]]:
    """Classifies directions by those of a bank."""

    def classify(
        bank: tuple, queries: tuple, folder: str = 'asked/', **settings
    ) -> tuple[dict[str, float], FakeRunner]:
        hooks: list[str] = []
        runner = FakeRunner(model=Same().train(), seed=0, hooks=hooks, call_hook=lambda name, **_: hooks.append(name))
        sampler = dict(type='DefaultSampler', shuffle=False)
        bank_loader = dict(dataset=dict(type=Directions, angles=bank[0], labels=bank[1]), batch_size=2, sampler=sampler)
        loader = DataLoader(Directions(*queries, folder), 2, collate_fn=_collate)
        return KNNTestLoop(runner, loader, [], {**bank_loader, 'num_workers': 0}, **settings).run(), runner

    return classify


def _collate(samples: list[dict]) -> dict[str, list[Tensor | ActionDataSample]]:
    return {key: [sample[key] for sample in samples] for key in samples[0]}


class TestNeighbours:
    BANK = ([0, 10, 20, 90, 100], [0, 1, 1, 2, 2])

    def test_nearest_and_vote_of_several(self, classify: Callable) -> None:
        metrics, runner = classify(self.BANK, ([1, 8, 95], [0, 1, 2]), k=(1, 3))
        assert metrics['knn1_top1'] == 100
        # by 0.07, one neighbour at 1 degree has less of a vote than two at 9 and 19
        assert metrics['knn3_top1'] == pytest.approx(200 / 3)
        cold, _ = classify(self.BANK, ([1, 8, 95], [0, 1, 2]), k=(3,), temperature=5e-3)
        assert cold['knn3_top1'] == 100
        assert runner.hooks[:2] == ['before_test', 'before_test_epoch'] and runner.hooks[-1] == 'after_test'

    def test_damaged_videos_of_the_bank_are_left_out_and_named(self, classify: Callable) -> None:
        angles, labels = self.BANK
        metrics, runner = classify(
            ([*angles[:2], None, *angles[2:]], [*labels[:2], 0, *labels[2:]]), ([19], [1]), k=(1,)
        )
        assert metrics['knn1_top1'] == 100
        assert runner.warnings == ['1 of 6 videos of the bank cannot be read: 2.mp4 (broken)']
        with pytest.raises(ValueError, match=r'2 of 2 videos of the bank cannot be read: 0\.mp4 \(broken\); 1\.mp4'):
            classify(([None, None], [0, 1]), ([19], [1]))

    def test_damaged_videos_to_classify_are_an_error(self, classify: Callable) -> None:
        with pytest.raises(UnreadableVideoError, match='1.mp4 cannot be read: broken'):
            classify(self.BANK, ([0, None], [0, 1]))

    @pytest.mark.parametrize('part', ['bank', 'queries'])
    def test_labels_are_required(self, part: str, classify: Callable) -> None:
        parts = dict(bank=self.BANK, queries=([0], [0])) | {part: ([0, 1], [0, None])}
        with pytest.raises(ValueError, match=r'1\.mp4 has no label: nearest-neighbour classification requires lists'):
            classify(parts['bank'], parts['queries'])

    def test_videos_that_would_find_themselves(self, classify: Callable) -> None:
        with pytest.raises(ValueError, match=r'3 of the 3 videos to classify are also in the bank.*0\.mp4'):
            classify(self.BANK, ([1, 8, 95], [0, 1, 2]), folder='./')

    def test_bank_of_one_class(self, classify: Callable) -> None:
        with pytest.raises(ValueError, match='all 2 videos of the bank are of class 1: nothing to choose from'):
            classify(([0, 10], [1, 1]), ([1], [1]))
