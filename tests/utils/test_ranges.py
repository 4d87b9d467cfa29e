"""Numbers that are silently useless are found, and those with a meaning are not."""

import pytest

from mmsigma.utils.ranges import arguments_out_of_range, settings_out_of_range


@pytest.mark.parametrize(
    ('key', 'value', 'is_fine'),
    [
        ('optim_wrapper.optimizer.lr', 0, True),
        ('optim_wrapper.optimizer.lr', -0.1, False),
        ('optim_wrapper.optimizer.lr', float('inf'), False),
        ('default_hooks.checkpoint.interval', -1, True),
        ('default_hooks.checkpoint.interval', -2, False),
        ('default_hooks.checkpoint.max_keep_ckpts', 0, False),
        ('train_cfg.max_epochs', 0, False),
        ('train_dataloader.num_workers', 0, True),
        ('train_dataloader.num_workers', -1, False),
        ('optim_wrapper.clip_grad.max_norm', -1, False),
        ('optim_wrapper.accumulative_counts', 0, False),
        ('param_scheduler.1.min_ratio', -1, False),
        ('param_scheduler.1.end', 0, False),
        ('param_scheduler.warmup', -3, False),
        ('model.lr', -1, True),  # not what the table means
    ],
)
def test_settings(key: str, value: float, is_fine: bool) -> None:
    root, *between, last = key.split('.')
    node: object = {last: value}
    for name in reversed(between):
        node = {name: node}
    found = list(settings_out_of_range(node, root))
    assert len(found) == (not is_fine) and all(text.startswith(f'{key}: expected') for text in found)


@pytest.mark.parametrize(
    ('name', 'value', 'num_faults'),
    [
        ('size', 224, 0), ('size', (0, 224), 1), ('size', (-1, 0), 2), ('size', None, 0), ('size', dict(a=0), 0),
        ('flip', 0, 0), ('flip', 1.5, 1), ('temperature', 0.0, 1), ('temperature', float('inf'), 1),
        ('std', [0.2, 0.0, 0.2], 1), ('k', (1, 5, 10), 0), ('something', -1, 0),
        ('num_iters', 0, 0), ('num_iters', -1, 1),  # without iterations, codes of Sinkhorn are a softmax
    ],
)  # fmt: skip
def test_arguments(name: str, value: object, num_faults: int) -> None:
    assert len(list(arguments_out_of_range({name: value}, 'model'))) == num_faults
