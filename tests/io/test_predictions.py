"""Predictions are plain data."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.io.predictions import load_predictions


class Command:
    """What executes a command when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ('touch ran',)


def test_tensors_arrays_and_plain_types(tmp_path: Path) -> None:
    sample = OrderedDict(
        pred_score=torch.arange(3.0),
        gt_label=torch.tensor([1]),
        frame_inds=np.arange(4),
        filename='a.mp4',
        shape=(2, 3),
    )
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps([sample, dict(filename='b.mp4', scale=np.float32(0.5))]))
    first, second = load_predictions(path)
    assert torch.equal(first['pred_score'], sample['pred_score']) and first['gt_label'].dtype == torch.int64
    assert first['frame_inds'].tolist() == [0, 1, 2, 3] and first['shape'] == (2, 3)
    assert second == {'filename': 'b.mp4', 'scale': 0.5}


@pytest.mark.parametrize(
    ('content', 'says'),
    [
        (pickle.dumps([dict(a=Command())]), 'system'),
        (pickle.dumps([dict(a=Path('x'))]), 'it has a pathlib'),
        (b'no pickle', 'is not a file of predictions'),
        (b'', 'is not a file of predictions'),
        (pickle.dumps([]), 'does not contain a list of predictions'),
        (pickle.dumps(dict(a=1)), 'does not contain a list of predictions'),
    ],
)
def test_nothing_else_is_read(content: bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path('a.pkl').write_bytes(content)
    with pytest.raises(ValueError, match=says):
        load_predictions('a.pkl')
    assert not Path('ran').exists()
    with pytest.raises(ValueError, match='is a folder, not the file of predictions that tools/test.py --dump writes'):
        load_predictions(tmp_path)
    with pytest.raises(FileNotFoundError, match='tools/test.py --dump'):
        load_predictions('b.pkl')
