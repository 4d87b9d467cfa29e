"""When rounds are made, when they are used, and what a run that is resumed must find."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from mmsigma.datasets import LoadPseudoMasks, PseudoMaskRounds
from mmsigma.datasets.transforms import ReadClip
from mmsigma.engine.hooks import ReclusterHook
from mmsigma.engine.hooks import recluster as recluster_module
from tests.engine.fakes import Colours, FakeRunner
from tests.vos_data import draw_video, write_frames

SETTINGS = dict(num_clusters=3, size=32, num_iters=5)
STEPS = 4  # per epoch


class Videos:
    """Folders of frames, read by a pipeline that has a place for masks."""

    def __init__(self, *folders: Path, steps: tuple = ()) -> None:
        self.folders = folders
        read = ReadClip(dict(type='SampleStridedClip', clip_len=2), 'frames')
        self.pipeline = SimpleNamespace(transforms=list(steps) or [read, LoadPseudoMasks()])

    def __len__(self) -> int:
        return len(self.folders)

    def get_data_info(self, index: int) -> dict:
        return dict(filename=str(self.folders[index]))


class Loader(SimpleNamespace):
    def __len__(self) -> int:
        return STEPS


@pytest.fixture
def runner(tmp_path: Path) -> FakeRunner:
    """A run with two videos, at its beginning."""
    for name in ('ant', 'bee'):
        write_frames(tmp_path / name, draw_video(4)[0], [f'{number:03d}' for number in range(4)])
    scalars: dict[str, float] = {}
    return FakeRunner(
        work_dir=str(tmp_path / 'run'),
        seed=3,
        model=SimpleNamespace(backbone=Colours()),
        train_dataloader=Loader(dataset=Videos(tmp_path / 'ant', tmp_path / 'bee'), num_workers=0),
        scalars=scalars,
        message_hub=SimpleNamespace(update_scalar=scalars.__setitem__),
    )


def begin(runner: FakeRunner, epoch: int, hook: ReclusterHook | None = None, iteration: int = 0) -> ReclusterHook:
    """Let an epoch begin, or go on after some of its iterations."""
    hook = hook or ReclusterHook(start=2, interval=3, pictures=1, settings=SETTINGS)
    runner.epoch, runner.iter = epoch, epoch * STEPS + iteration
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    return hook


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Rounds that are made, as number and epoch, without any clustering."""
    found: list[tuple[int, int]] = []

    def recluster(*arguments: object, seed: int, epoch: int, **others: object) -> dict[str, float]:
        *_, rounds, number, settings = arguments
        found.append((number, epoch))
        rounds.finish(number, dict(round=number, seed=seed, epoch=epoch, settings=settings._asdict()))
        return dict(clusters_per_video=2.0, without_objects=0.0, unreadable=0.0, largest_share=0.5)

    monkeypatch.setattr('mmsigma.engine.hooks.recluster.recluster', recluster)
    monkeypatch.setattr(ReclusterHook, '_draw', lambda *_: None)
    return found


def test_a_round_in_its_first_epoch_and_at_intervals(runner: FakeRunner, made: list, tmp_path: Path) -> None:
    current = []
    for epoch in range(9):
        begin(runner, epoch)
        current.append(PseudoMaskRounds(tmp_path / 'run' / 'rounds').current())
    assert made == [(0, 2), (1, 5), (2, 8)]
    assert current == [None, None, 0, 0, 0, 1, 1, 1, 2]


def test_round_of_a_real_run(runner: FakeRunner, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin(runner, 2)
    rounds = PseudoMaskRounds(tmp_path / 'run' / 'rounds')
    manifest = rounds.manifest(0)
    assert (manifest['seed'], manifest['epoch'], manifest['videos']) == (3, 2, 2)
    assert manifest['settings']['num_clusters'] == 3
    assert rounds.load(0, str(tmp_path / 'ant')).labels.shape[0] == 4
    assert len(list(rounds.path(0).glob('pictures/*.png'))) == 1
    assert runner.scalars['train/recluster/clusters_per_video'] == manifest['clusters_per_video'] > 0
    assert 'clustering 2/2' in capsys.readouterr().out


def test_videos_that_a_list_names_twice_are_clustered_once(runner: FakeRunner, tmp_path: Path) -> None:
    runner.train_dataloader.dataset.folders = (tmp_path / 'ant', tmp_path / 'bee', tmp_path / 'ant')
    begin(runner, 2)
    assert PseudoMaskRounds(tmp_path / 'run' / 'rounds').manifest(0)['videos'] == 2


def test_transforms_read_where_the_hook_writes(runner: FakeRunner, made: list, tmp_path: Path) -> None:
    load = runner.train_dataloader.dataset.pipeline.transforms[1]
    begin(runner, 0)
    assert load.folder == str(tmp_path / 'run' / 'rounds')
    load.folder = str(tmp_path / 'elsewhere')
    begin(runner, 2)
    assert PseudoMaskRounds(tmp_path / 'elsewhere').current() == 0 and load.folder == str(tmp_path / 'elsewhere')


def test_rounds_that_another_run_left_are_not_used(runner: FakeRunner, made: list, tmp_path: Path) -> None:
    rounds = PseudoMaskRounds(tmp_path / 'run' / 'rounds')
    rounds.finish(0, dict(round=0, seed=9))
    begin(runner, 0)
    assert rounds.current() is None
    begin(runner, 2)
    assert made == [(0, 2)] and rounds.manifest(0)['seed'] == 3


def test_resumed_run_uses_the_round_it_is_in(runner: FakeRunner, made: list, tmp_path: Path) -> None:
    begin(runner, 2)
    rounds = PseudoMaskRounds(tmp_path / 'run' / 'rounds')
    rounds.use_none()
    begin(runner, 2, iteration=1)  # in the middle of the epoch in which the round was made
    assert made == [(0, 2)] and rounds.current() == 0
    rounds.use(5)
    begin(runner, 4)
    assert made == [(0, 2)] and rounds.current() == 0


def test_round_that_is_gone(runner: FakeRunner, made: list) -> None:
    with pytest.raises(FileNotFoundError, match=r'epoch 6 belongs to round 1, which is not in .*rounds: .* epoch 5 or'):
        begin(runner, 6)
    assert not made


def test_round_of_an_earlier_version(runner: FakeRunner, made: list, tmp_path: Path) -> None:
    """It lacks settings that are younger: their defaults are those that it was made with."""
    begin(runner, 2)
    rounds = PseudoMaskRounds(tmp_path / 'run' / 'rounds')
    manifest = rounds.manifest(0)
    del manifest['settings']['keep_aspect'], manifest['settings']['fine']
    rounds.finish(0, manifest)
    begin(runner, 3)
    assert made == [(0, 2)] and rounds.current() == 0
    settings = SETTINGS | dict(keep_aspect=True)
    with pytest.raises(ValueError, match="'keep_aspect': False.* but the run has .*'keep_aspect': True"):
        begin(runner, 3, ReclusterHook(start=2, interval=3, settings=settings))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(seed=4), r"\{'seed': 3\}, but the run has \{'seed': 4\}"),
        (
            dict(settings=SETTINGS | dict(num_clusters=4)),
            r"\{'settings': \{'num_clusters': 3,.* but the run has .*'num_clusters': 4,",
        ),
        (dict(start=1), r"\{'epoch': 2\}, but the run has \{'epoch': 1\}"),
    ],
)
def test_round_of_another_run(change: dict, message: str, runner: FakeRunner, made: list) -> None:
    begin(runner, 2)
    settings = {**dict(seed=3, start=2, interval=3, settings=SETTINGS), **change}
    runner.seed = settings.pop('seed')
    hook = ReclusterHook(**settings)
    with pytest.raises(
        ValueError, match=rf'round_000 was made with {message}.*: undo the change, or resume from a checkpoint'
    ):
        begin(runner, 3, hook)


@pytest.mark.parametrize(
    'steps', [(LoadPseudoMasks(),), (ReadClip(dict(type='SampleStridedClip', clip_len=2), 'frames'),)]
)
def test_pipelines_without_masks(steps: tuple, runner: FakeRunner) -> None:
    runner.train_dataloader.dataset.pipeline.transforms = list(steps)
    with pytest.raises(ValueError, match='ReclusterHook requires ReadClip and LoadPseudoMasks in train_dataloader'):
        ReclusterHook().before_train(runner)


@pytest.mark.parametrize(('own', 'expected'), [(None, 3), (0, 0), (5, 5)])
def test_workers_are_those_of_the_training_loader(
    own: int | None, expected: int, runner: FakeRunner, made: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, found = recluster_module.recluster, []

    def watch(*arguments: object, num_workers: int, **others: object) -> dict[str, float]:
        found.append(num_workers)
        return fake(*arguments, **others)

    monkeypatch.setattr(recluster_module, 'recluster', watch)
    runner.train_dataloader.num_workers = 3
    begin(runner, 2, ReclusterHook(start=2, interval=3, num_workers=own, settings=SETTINGS))
    assert found == [expected]
    # a round is not another one with other workers
    begin(runner, 3, ReclusterHook(start=2, interval=3, num_workers=7, settings=SETTINGS))


def test_negative_workers() -> None:
    with pytest.raises(ValueError, match='num_workers must not be negative, got -1'):
        ReclusterHook(num_workers=-1)


@pytest.mark.parametrize(('start', 'interval'), [(-1, 1), (0, 0)])
def test_impossible_epochs(start: int, interval: int) -> None:
    with pytest.raises(ValueError, match=f'interval must be positive, got {start} and {interval}'):
        ReclusterHook(start, interval)
