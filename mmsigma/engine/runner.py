"""mmengine's Runner, made to work on the CPU, quiet on the console and careful with checkpoints."""

import copy
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import barrier, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch import nn

from mmsigma import compat
from mmsigma.checkpoints.io import find_weights, load_checkpoint_file, load_into_model, load_state_strictly
from mmsigma.registry import RUNNERS


@RUNNERS.register_module()
class VideoRunner(Runner):
    """Runner with what this framework needs beyond mmengine's.

    * N processes without a GPU train with gloo.
    * Checkpoints are written atomically and hold nothing but tensors and plain containers, so that they load with
      ``weights_only=True``; so do all others unless ``--trust-checkpoint`` or a program set ``trust_checkpoints`` in
      the config, which the config of the run then does not show.
    * A checkpoint that does not fit is an error, not a line in the log.
    * The console shows warnings and what hooks print; the log file has everything. ``verbose=True`` in the config
      brings the rest back.
    """

    def __init__(self, *args, cfg: dict | None = None, **kwargs) -> None:
        cfg = Config() if cfg is None else copy.deepcopy(cfg)
        self._verbose = cfg.get('verbose', False)
        self._trust = cfg.pop('trust_checkpoints', False)
        super().__init__(*args, cfg=cfg, **kwargs)

    _testing = False

    def test(self) -> dict[str, float]:
        """Test, and return the metrics; a model that is not wholly in the checkpoint is an error."""
        self._testing = True
        return super().test()

    def build_evaluator(self, evaluator: dict | list | Evaluator) -> Evaluator:
        """Build an evaluator; what its metrics write goes below the work dir, unless ``out_dir`` is absolute."""
        evaluator = super().build_evaluator(evaluator)
        for metric in evaluator.metrics:
            if getattr(metric, 'out_dir', None):
                metric.out_dir = str(Path(self.work_dir, metric.out_dir).resolve())
        return evaluator

    def setup_env(self, env_cfg: dict) -> None:
        if self.distributed:
            compat.init_cpu_process_group(self.launcher)
        torch.set_float32_matmul_precision(self.cfg.get('float32_matmul_precision', 'highest'))
        super().setup_env(env_cfg)

    def build_logger(self, *args, **kwargs) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            handler.addFilter(compat.DropKnownNoise())
            if not self._verbose and not isinstance(handler, logging.FileHandler):
                handler.setLevel(max(handler.level, logging.WARNING))
        return logger

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        if self.distributed and not any(parameter.requires_grad for parameter in model.parameters()):
            return model.to(get_device())  # only evaluated: there is nothing to share, and DDP refuses it
        if self.distributed and not torch.cuda.is_available():
            unused = self.cfg.get('find_unused_parameters', False)  # mmengine looks at it only without a wrapper
            model_wrapper_cfg = compat.cpu_model_wrapper(model_wrapper_cfg, find_unused_parameters=unused)
        return super().wrap_model(model_wrapper_cfg, model)

    def save_checkpoint(self, out_dir: str, filename: str, *args, **kwargs) -> None:
        """Write a checkpoint beside its place and move it there when it is complete.

        Raises:
            OSError: If it could not be written, naming the last one that was.
        """
        partial, final = Path(out_dir, f'.{filename}.partial'), Path(out_dir, filename)
        try:
            super().save_checkpoint(out_dir, partial.name, *args, **kwargs)
            if is_main_process():
                os.replace(partial, final)
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            whole = sorted(Path(out_dir).glob('*.pth'), key=lambda path: path.stat().st_mtime)
            last = f'the last complete one is {whole[-1]}' if whole else 'there is none before it'
            raise OSError(f'checkpoint {final} could not be written ({error}); {last}') from error
        barrier()

    def call_hook(self, fn_name: str, **kwargs) -> None:
        super().call_hook(fn_name, **kwargs)
        if fn_name == 'before_save_checkpoint':
            checkpoint = kwargs['checkpoint']
            checkpoint['message_hub'] = compat.pack_history(checkpoint['message_hub'])

    def load_checkpoint(
        self, filename: str, map_location: Any = 'cpu', strict: bool = False, revise_keys: Sequence = ()
    ) -> dict:
        """Load parameters from a checkpoint, official SIGMA and VideoMAE files included.

        What is missing is an error in testing and in resuming; in training all but the backbone may be, and keeps its
        initial values, as the new head of a pre-trained backbone does. ``load_backbone_only`` in the config leaves all
        but the backbone out, except in testing a model that has more than one.

        Args:
            filename: The checkpoint.
            map_location: Has no influence: files are read to the CPU and copied to where the model is.
            strict: The names have to be the same on both sides, and ours.
            revise_keys: Not supported.

        Raises:
            FileNotFoundError: If there is no such file.
            NotImplementedError: If keys are to be revised.
            CheckpointError: If it is damaged, unsafe, or does not fit the model.
        """
        if revise_keys:
            raise NotImplementedError(
                'revise_keys is not supported: names of known origin are recognised; rename others in the file'
            )
        checkpoint = load_checkpoint_file(filename, trust=self._trust)
        if 'message_hub' in checkpoint:
            checkpoint['message_hub'] = compat.unpack_history(checkpoint['message_hub'])
        model = getattr(self.model, 'module', self.model)
        if self._resume or strict:
            self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
            load_state_strictly(model, checkpoint['state_dict'], origin=filename)
        else:
            state = find_weights(checkpoint, filename)
            tests_head = self._testing and any(not name.startswith('backbone.') for name in model.state_dict())
            backbone_only = self.cfg.get('load_backbone_only', False) and not tests_head
            load_into_model(model, state, origin=filename, allow_missing=not self._testing, backbone_only=backbone_only)
            # hooks copy what the model is now, whatever the file calls its parameters and wherever it has them
            self.call_hook('after_load_checkpoint', checkpoint={'state_dict': model.state_dict()})
        self._has_loaded = True
        self.logger.info(f'loaded {filename}')
        return checkpoint
