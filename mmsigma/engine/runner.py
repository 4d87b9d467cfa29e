"""mmengine's Runner with support for training on the CPU, safe checkpoints, and little console output."""

import copy
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import barrier, broadcast_object_list, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapperDict
from mmengine.registry import Registry
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmsigma import compat
from mmsigma.checkpoints.files import DamagedError, load_checkpoint_file
from mmsigma.checkpoints.io import NonFiniteError, check_optimizer, find_weights, load_into_model, load_state_strictly
from mmsigma.checkpoints.runs import check_full_run, check_progress, checkpoint_folder, read_owner, run_checkpoints
from mmsigma.datasets.run_checks import check_labels, check_masks
from mmsigma.datasets.videos.collate import samples_per_item
from mmsigma.engine.hooks.interruption import init_worker
from mmsigma.engine.hooks.progress import ProgressHook
from mmsigma.engine.optimizers import keep_implementation
from mmsigma.engine.sharding import FullySharded
from mmsigma.io.atomic import make_folder, replace_durably
from mmsigma.ops import choose_cpu_linear, cpu_linear_in_use, fastest_cpu_linear
from mmsigma.registry import FUNCTIONS, MODEL_WRAPPERS, RUNNERS, STRATEGIES


def agree_on_cpu_linear() -> None:
    """Let all processes map tokens on CPUs in the way that is fastest for the first, so that a run can be repeated."""
    chosen = [fastest_cpu_linear()]
    broadcast_object_list(chosen)
    choose_cpu_linear(chosen[0])


@RUNNERS.register_module()
class VideoRunner(Runner):
    """Runner with the additions to mmengine's that this framework needs.

    * Several ranks without GPUs train with gloo.
    * Checkpoints are written atomically and contain only tensors and plain containers, so that they can be loaded with
      ``weights_only=True``. All other checkpoints are loaded in the same way, unless ``--trust-checkpoint`` or a
      program sets ``trust_checkpoints`` in the config; the saved config of the run does not contain it.
    * A checkpoint that does not match the model is an error, not a line in the log.
    * ``resume=True`` continues from the newest checkpoint in the work dir that can be read, and is an error if there is
      none; ``resume='auto'``, for jobs that a scheduler restarts, then starts a new run.
    * Labels and first masks of the datasets are checked before training and testing.
    * The console shows warnings and the output of hooks; the log file contains everything. ``verbose=True`` in the
      config shows everything on the console as well.
    """

    _testing = False
    strategy: FullySharded | None = None
    """How the model is sharded over processes; None if each has all of it."""
    run_id: str | None = None
    """Id of the run, which its checkpoints have as ``meta['run']``; None if the work dir has no owner."""
    resumed_from: str | None = None
    """Checkpoint file that the run has been resumed from."""

    def __init__(
        self, *args: Any, cfg: dict[str, Any] | None = None, resume: bool | str = False, **kwargs: Any
    ) -> None:
        cfg = Config() if cfg is None else copy.deepcopy(cfg)
        self._verbose = cfg.get('verbose', False)
        self._trust = cfg.pop('trust_checkpoints', False)
        self._may_start_anew = resume == 'auto'
        if 'work_dir' in kwargs:
            make_folder(kwargs['work_dir'])
        super().__init__(*args, cfg=cfg, resume=bool(resume), **kwargs)

    def train(self) -> nn.Module:
        """Train the model and return it."""
        try:
            model: nn.Module = super().train()
        finally:
            for hook in self.hooks:
                if isinstance(hook, ProgressHook):
                    hook.after_train(self)  # also after an error: a bar that runs hides the cursor
        return model

    def test(self) -> dict[str, float]:
        """Test the model and return the metrics; a checkpoint that does not contain the whole model is an error."""
        self._testing = True
        metrics: dict[str, float] = super().test()
        return metrics

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader[Any] | dict[str, Any], seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader[Any]:
        """Build a loader whose workers leave signals to this process, see :func:`init_worker`."""
        if isinstance(dataloader, dict) and isinstance(collate := dataloader.get('collate_fn'), dict):
            dataloader = {**dataloader, 'collate_fn': _with_scope(collate, FUNCTIONS)}
        if isinstance(dataloader, dict) and not dataloader.get('num_workers'):
            dataloader = {**dataloader, 'persistent_workers': False}  # an error of DataLoader, with no workers at all
        loader: DataLoader[Any] = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
        if loader is not dataloader:
            loader.worker_init_fn = partial(init_worker, init=loader.worker_init_fn)
        return loader

    def build_evaluator(self, evaluator: dict[str, Any] | list[Any] | Evaluator) -> Evaluator:
        """Build an evaluator whose metrics write beside the log, unless their ``out_dir`` is absolute.

        Each run of a tool has a folder of its own, so the results of one checkpoint never replace another's.
        """
        evaluator = super().build_evaluator(evaluator)
        for metric in evaluator.metrics:
            if getattr(metric, 'out_dir', None):
                metric.out_dir = str(Path(self.log_dir, metric.out_dir).resolve())
        return evaluator

    def register_default_hooks(self, hooks: dict[str, Any] | None = None) -> None:
        """Register mmengine's default hooks, and the one that saves a run that is told to stop, unless it is None."""
        hooks = {'interruption': dict(type='InterruptionHook'), **(hooks or {})}
        if hooks['interruption'] is None:  # mmengine allows that of its own hooks alone
            del hooks['interruption']
        super().register_default_hooks(hooks)

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        if self.distributed:
            compat.init_cpu_process_group(self.launcher)
        torch.set_float32_matmul_precision(self.cfg.get('float32_matmul_precision', 'highest'))
        choose_cpu_linear(self.cfg.get('cpu_linear', 'fastest'))
        super().setup_env(env_cfg)
        if self.distributed and not torch.cuda.is_available() and self.cfg.get('cpu_linear', 'fastest') == 'fastest':
            agree_on_cpu_linear()

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            handler.addFilter(compat.DropKnownNoise())
            if not self._verbose and not isinstance(handler, logging.FileHandler):
                handler.setLevel(max(handler.level, logging.WARNING))
        return logger

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Prepare the model for several processes: with DDP, or as ``strategy`` of the config says."""
        if self.distributed and not any(parameter.requires_grad for parameter in model.parameters()):
            return model.to(get_device())  # nothing to synchronise in evaluation, and DDP rejects such a model
        if self.distributed and self.cfg.get('strategy'):
            model = model.to(get_device())
            if callable(init_weights := getattr(model, 'init_weights', None)):
                init_weights()  # before it is sharded, so that no weight depends on the number of processes
            self.strategy = STRATEGIES.build(self.cfg['strategy'])
            self.strategy.shard(model)
            return model
        if self.distributed and not torch.cuda.is_available():
            unused = self.cfg.get('find_unused_parameters', False)  # mmengine reads it only without a wrapper config
            model_wrapper_cfg = compat.cpu_model_wrapper(model_wrapper_cfg, find_unused_parameters=unused)
        if model_wrapper_cfg:
            model_wrapper_cfg = _with_scope(model_wrapper_cfg, MODEL_WRAPPERS)
        wrapped: nn.Module = super().wrap_model(model_wrapper_cfg, model)
        return wrapped

    def _init_model_weights(self) -> None:
        if self.strategy is None:
            super()._init_model_weights()

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Build the wrapper of the optimiser, which saves and loads whole states of sharded parameters.

        It keeps its implementation when it loads the state of another machine's.
        """
        wrapper = super().build_optim_wrapper(optim_wrapper)
        if wrapper is not optim_wrapper:  # mmengine asks again when it resumes
            for single in wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]:
                keep_implementation(single.optimizer)
            if self.strategy is not None:
                self.strategy.follow(wrapper.optimizer, self.model)
        return wrapper

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: dict[str, Any] | None = None) -> None:
        """Scale the learning rate by the batch size, in which every sample of a repeated clip counts."""
        if auto_scale_lr and 'base_batch_size' in auto_scale_lr:
            repeats = samples_per_item(self.train_dataloader.dataset)
            auto_scale_lr = {**auto_scale_lr, 'base_batch_size': auto_scale_lr['base_batch_size'] / repeats}
        super().scale_lr(optim_wrapper, auto_scale_lr)

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Write a checkpoint, on which all ranks wait, see :meth:`write_checkpoint`."""
        self.write_checkpoint(out_dir, filename, *args, **kwargs)
        barrier()

    def write_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Write a checkpoint in the main process: to a temporary file, which is moved into place once it is complete.

        Args:
            out_dir: Folder of the checkpoint.
            filename: Its name.
            *args: Further arguments of mmengine's ``save_checkpoint``.
            **kwargs: Further arguments of mmengine's ``save_checkpoint``.

        Raises:
            OSError: If it could not be written; the message names the last complete one.
        """
        self.call_hook('before_write_checkpoint')  # a call of our own: hooks finish what the checkpoint contains
        unfinished, final = Path(out_dir, f'.{filename}.partial'), Path(out_dir, filename)
        if self.strategy is not None and not is_main_process():
            # whole parameters are gathered from all processes, in the order in which the main process asks for them
            self.model.state_dict()
            if kwargs.get('save_optimizer', True):
                self.optim_wrapper.state_dict()
        try:
            super().save_checkpoint(out_dir, unfinished.name, *args, **kwargs)
            if is_main_process():
                replace_durably(unfinished, final)
        except (OSError, RuntimeError) as error:
            unfinished.unlink(missing_ok=True)
            found = [path for path in Path(out_dir).glob('*.pth') if path.is_file()]
            whole = sorted(found, key=lambda path: path.stat().st_mtime)
            last = f'the last complete one is {whole[-1]}' if whole else 'there is no earlier one'
            raise OSError(f'checkpoint {final} could not be written ({error}); {last}') from error

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        if fn_name in ('before_train', 'before_test'):
            self._check_data(training=fn_name == 'before_train')
        super().call_hook(fn_name, **kwargs)
        if fn_name == 'before_save_checkpoint':
            checkpoint = kwargs['checkpoint']
            checkpoint['message_hub'] = compat.pack_history(checkpoint['message_hub'])
            checkpoint['meta'].update(dict(run=self.run_id) if self.run_id else {}, cpu_linear=cpu_linear_in_use())

    def load_or_resume(self) -> None:
        """Load what ``load_from`` and ``resume`` ask for, once.

        Raises:
            FileNotFoundError: If there is nothing to resume from.
            CheckpointError: If the checkpoint cannot be read, is not that of a whole run, or does not match the model.
        """
        runner: Any = self  # mmengine's attributes have no types
        resumes_newest = runner._resume and (self._may_start_anew or runner._load_from is None)
        if runner._has_loaded or not resumes_newest:
            super().load_or_resume()
            return
        folder = self.checkpoint_folder
        found = run_checkpoints(folder, read_owner(self.work_dir).get('id'))
        for reason in [*found.damaged, *found.foreign]:
            self.logger.warning(f'{reason}: it is not used')
        for path in found.usable:
            try:
                self.resume(str(path))
                return
            except (DamagedError, NonFiniteError) as error:  # which come before anything of the run has changed
                self.logger.warning(f'{error}: falling back to the checkpoint before')
        if not self._may_start_anew:
            others = '; '.join([*found.damaged, *found.others, *found.foreign])
            raise FileNotFoundError(
                f'{folder} contains no checkpoint to resume from{f" ({others})" if others else ""}. To start a new run '
                'in that case, use --resume auto'
            )
        self.logger.warning(f'{folder} contains no checkpoint to resume from: a new run starts')
        self._resume = False
        super().load_or_resume()

    @property
    def checkpoint_folder(self) -> Path:
        """The folder of this run's checkpoints: the work dir, unless the hook that saves them has another."""
        folders = [hook.out_dir for hook in self.hooks if isinstance(hook, CheckpointHook)]
        return checkpoint_folder(self.work_dir, folders[0] if folders else None)

    def _check_data(self, *, training: bool) -> None:
        """Check labels and masks of the datasets of a run before it starts.

        Raises:
            ValueError: See :mod:`mmsigma.datasets.run_checks`.
        """
        head = getattr(getattr(self.model, 'module', self.model), 'head', None)
        num_classes = getattr(head, 'num_classes', None)
        if training:
            loops = dict(train_dataloader=self.train_loop, val_dataloader=self.val_loop)
        else:
            loops = dict(test_dataloader=self.test_loop)
        for place, loop in loops.items():
            bank = getattr(loop, 'bank_dataloader', None)
            for name, loader in ((place, getattr(loop, 'dataloader', None)), ('bank_dataloader', bank)):
                if loader is not None:
                    check_masks(loader.dataset, name)
                    if bank is not None or num_classes is not None:
                        check_labels(loader.dataset, num_classes, name)

    def load_checkpoint(
        self, filename: str, map_location: Any = 'cpu', strict: bool = False, revise_keys: Sequence[Any] = ()
    ) -> dict[str, Any]:
        """Load parameters from a checkpoint, including official SIGMA and VideoMAE files.

        In testing and in resuming, missing parameters are an error. In training, only the backbone must be complete;
        everything else may keep its initial values, like the new head on a pre-trained backbone.
        ``load_backbone_only`` in the config restricts loading to the backbone, except when a model with more than a
        backbone is tested.

        Args:
            filename: Checkpoint file.
            map_location: Unused: files are read to the CPU and copied to the device of the model.
            strict: Whether the checkpoint must have exactly the model's parameters, under our names.
            revise_keys: Unsupported.

        Returns:
            Content of the checkpoint.

        Raises:
            FileNotFoundError: If there is no such file.
            NotImplementedError: If ``revise_keys`` is not empty.
            CheckpointError: If the file is damaged, unsafe, or does not match the model.
        """
        if revise_keys:
            raise NotImplementedError(
                'revise_keys is not supported: names of known origin are recognised; rename others in the file'
            )
        checkpoint: dict[str, Any] = load_checkpoint_file(filename, trust=self._trust)
        if 'message_hub' in checkpoint:
            checkpoint['message_hub'] = compat.unpack_history(checkpoint['message_hub'])
        model: Any = getattr(self.model, 'module', self.model)
        if self._resume:
            check_full_run(checkpoint, filename)
            check_optimizer(checkpoint['optimizer'], filename)
            self.resumed_from = filename
            if self.cfg.get('cpu_linear', 'fastest') == 'fastest':  # goes on, to the bit, in the way that was chosen
                choose_cpu_linear(checkpoint['meta'].get('cpu_linear', 'fastest'))
            if isinstance(self.train_loop, EpochBasedTrainLoop):
                loader = self.train_loop.dataloader
                num_samples = max(len(loader.dataset), len(loader.sampler) * self.world_size)
                check_progress(checkpoint, filename, max_epochs=self.train_loop.max_epochs, num_samples=num_samples)
        if self._resume or strict:
            self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
            load_state_strictly(model, checkpoint['state_dict'], origin=filename)
        else:
            state = find_weights(checkpoint, filename)
            tests_head = self._testing and any(not name.startswith('backbone.') for name in model.state_dict())
            backbone_only = self.cfg.get('load_backbone_only', False) and not tests_head
            load_into_model(model, state, origin=filename, allow_missing=not self._testing, backbone_only=backbone_only)
            # hooks get the model's present state, regardless of names and structure of the file
            self.call_hook('after_load_checkpoint', checkpoint={'state_dict': model.state_dict()})
        self._has_loaded = True
        self.logger.info(f'loaded {filename}')
        return checkpoint


def _with_scope(cfg: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """Return a config whose type mmengine finds also where it does not search the default scope (seen in 0.10.7)."""
    name = cfg.get('type')
    if not isinstance(name, str) or '.' in name or name not in registry:
        return cfg
    return {**cfg, 'type': f'{registry.scope}.{name}'}
