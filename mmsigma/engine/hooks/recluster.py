"""Hook that clusters the training videos anew at intervals (Mask-VOS, CVPR 2023)."""

from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console

from mmsigma.datasets.transforms.decoding import ReadClip
from mmsigma.datasets.vos.pseudo_masks import LoadPseudoMasks, PseudoMaskRounds
from mmsigma.engine.hooks.interruption import InterruptionHook
from mmsigma.engine.hooks.pictures import send_pictures
from mmsigma.engine.reclustering import ReclusterSettings, recluster
from mmsigma.registry import HOOKS


@HOOKS.register_module()
class ReclusterHook(Hook):
    """Create the pseudo masks of Mask-VOS from the features of the model: from a given epoch on, at intervals.

    Rounds are stored in ``<work dir>/rounds``. A round is created whenever its first epoch begins, even if its folder
    exists. A run that is resumed within a round uses it, and then equals an uninterrupted run.

    Args:
        start: Epoch, counted from 0, before which the first round is created (the paper: 300).
        interval: Number of epochs between rounds (the paper: 10).
        pictures: Number of videos to draw in each round.
        num_workers: Number of processes of each rank that read videos for clustering; None for as many as the training
            loader has. It does not change the result.
        settings: Arguments of :class:`mmsigma.engine.reclustering.ReclusterSettings`.

    Raises:
        ValueError: If ``start``, ``interval`` or ``num_workers`` is out of range.
    """

    priority = 'HIGH'

    def __init__(
        self,
        start: int = 300,
        interval: int = 10,
        pictures: int = 4,
        num_workers: int | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        if start < 0 or interval < 1:
            raise ValueError(f'start must not be negative and interval must be positive, got {start} and {interval}')
        if num_workers is not None and num_workers < 0:
            raise ValueError(f'num_workers must not be negative, got {num_workers}')
        self.start, self.interval, self.pictures, self.num_workers = start, interval, pictures, num_workers
        self.settings = ReclusterSettings(**(settings or {}))

    def before_train(self, runner: Runner) -> None:
        """Set the folder of the rounds in the transforms, before they are copied to worker processes.

        Raises:
            ValueError: If no transform of the pipeline reads pseudo masks.
        """
        self.rounds = PseudoMaskRounds(Path(runner.work_dir, 'rounds').resolve())
        transforms = runner.train_dataloader.dataset.pipeline.transforms
        readers = [step for step in transforms if isinstance(step, LoadPseudoMasks)]
        clips = [step for step in transforms if isinstance(step, ReadClip)]
        if not readers or not clips:
            raise ValueError('ReclusterHook requires ReadClip and LoadPseudoMasks in train_dataloader.dataset.pipeline')
        for step in readers:
            step.folder = step.folder or str(self.rounds.folder)
        self.rounds = PseudoMaskRounds(readers[0].folder or self.rounds.folder)
        self.decoder = clips[0].decoder

    def before_train_epoch(self, runner: Runner) -> None:
        """Create a round in its first epoch, or use the round that a resumed run is in.

        Raises:
            FileNotFoundError: If a resumed run is in the middle of a round that does not exist.
            ValueError: If that round was created with another seed or other settings.
        """
        number, inside = divmod(runner.epoch - self.start, self.interval)
        if number >= 0 and inside == 0 and runner.iter == runner.epoch * len(runner.train_dataloader):
            self._make(runner, number)  # even if it exists: it may belong to another run
            return
        if number >= 0:
            self._check(runner, number)
        if is_main_process():
            self.rounds.use(number) if number >= 0 else self.rounds.use_none()
        barrier()

    def _check(self, runner: Runner, number: int) -> None:
        """Check that a round exists and was created with the settings of the run."""
        made = self.rounds.manifest(number)
        remedy = f'resume from a checkpoint of epoch {self.start + number * self.interval} or earlier'
        if made is None:
            raise FileNotFoundError(
                f'epoch {runner.epoch} belongs to round {number}, which is not in {self.rounds.folder}: resume in the '
                f'work dir of the run, or {remedy}'
            )
        ours = dict(seed=runner.seed, epoch=self.start + number * self.interval, settings=self.settings._asdict())
        if 'settings' in made:  # a round of an earlier version lacks younger settings, and was made with their defaults
            made = {**made, 'settings': ReclusterSettings()._asdict() | made['settings']}
        if differs := [key for key, value in ours.items() if made.get(key) != value]:
            raise ValueError(
                f'{self.rounds.path(number)} was made with { ({key: made.get(key) for key in differs}) }, but the run '
                'has '
                f'{ ({key: ours[key] for key in differs}) }: undo the change, or {remedy}'
            )

    def _make(self, runner: Runner, number: int) -> None:
        dataset = runner.train_dataloader.dataset
        # lists may name a video several times, so that it is drawn as often
        videos = list(dict.fromkeys(dataset.get_data_info(index)['filename'] for index in range(len(dataset))))
        model = getattr(runner.model, 'module', runner.model)
        console = Console(highlight=False)

        num_workers = runner.train_dataloader.num_workers if self.num_workers is None else self.num_workers
        interruptions = [hook for hook in runner.hooks if isinstance(hook, InterruptionHook)]

        def progress(done: int, total: int) -> None:
            for hook in interruptions:
                hook.stop_between_epochs(runner)
            if is_main_process() and (done == total or done % max(total // 10, 1) == 0):
                console.print(f'clustering {done}/{total}')

        statistics = recluster(
            model.backbone,
            videos,
            self.decoder,
            self.rounds,
            number,
            self.settings,
            seed=runner.seed,
            epoch=runner.epoch,
            num_workers=num_workers,
            progress=progress,
        )
        for name in ('clusters_per_video', 'without_objects', 'unreadable', 'largest_share'):
            runner.message_hub.update_scalar(f'train/recluster/{name}', statistics[name])
        if is_main_process():
            text = '  '.join(f'{name} {value:.3g}' for name, value in statistics.items())
            console.print(f'round {number}  {text}  {self.rounds.path(number)}')
            send_pictures(runner, self._draw(number, videos))
        barrier()

    def _draw(self, number: int, videos: list[str]) -> list[Path]:
        from mmsigma.visualization.pseudo_masks import draw_round

        every = max(len(videos) // max(self.pictures, 1), 1)
        return draw_round(self.rounds, number, videos[::every][: self.pictures], self.decoder)
