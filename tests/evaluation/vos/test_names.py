"""Two videos of one name are refused before their results are mixed up."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsigma.datasets import VOSDataset
from mmsigma.datasets.vos.keypoint_dataset import JHMDBDataset
from mmsigma.evaluation import PCKMetric, VOSMetric
from mmsigma.evaluation.vos.names import check_name
from tests.vos_data import make_davis, make_jhmdb


def test_names(tmp_path: Path) -> None:
    one, other = (VOSDataset('davis', str(make_davis(tmp_path / name, dict(ant=3)))).sequences[0] for name in 'ab')
    places: dict[str, str] = {}
    check_name(places, one)
    check_name(places, one)
    with pytest.raises(ValueError, match=r"/a/.*/ant and .*/b/.*/ant are both called 'ant'"):
        check_name(places, other)


def test_metrics(tmp_path: Path) -> None:
    metric: Any = VOSMetric(str(tmp_path / 'out'), show_table=False)
    for name in 'ab':
        sequence = VOSDataset('davis', str(make_davis(tmp_path / name, dict(ant=3)))).sequences[0]
        masks = np.stack([sequence.read_mask(0)] * 3)
        if name == 'a':
            metric.process({}, [dict(sequence=sequence, pred_masks=masks)])
    with pytest.raises(ValueError, match="are both called 'ant'"):
        metric.process({}, [dict(sequence=sequence, pred_masks=masks)])
    metric = PCKMetric()
    one, other = (JHMDBDataset(str(make_jhmdb(tmp_path / name, {'walk/ant': 4})))[0]['inputs'] for name in 'cd')
    metric.process({}, [dict(sequence=one, pred_joints=one.read_joints())])
    with pytest.raises(ValueError, match="are both called 'ant'"):
        metric.process({}, [dict(sequence=other, pred_joints=other.read_joints())])
