"""Page of unsupervised segmentation: pictures of clips, the worst first."""

import re
from pathlib import Path

import cv2
import numpy as np

from mmsigma.io.masks import davis_palette
from mmsigma.visualization.segmentation_report import (
    MOST_CLIPS,
    ScoredClip,
    write_cluster_picture,
    write_segmentation_report,
)


def test_picture_has_masks_and_clusters(tmp_path: Path) -> None:
    masks = np.zeros((3, 120, 160), np.uint8)
    masks[:, :60] = 2
    clusters = np.ones_like(masks)
    path = write_cluster_picture(tmp_path, 'walk', [4, 6, 8], masks, {'clustering': clusters})
    assert path == tmp_path / 'segmentation' / 'walk_4.png'
    picture = cv2.imread(str(path))[..., ::-1]
    palette = davis_palette()
    counts = {number: int((picture == palette[number]).all(axis=2).sum()) for number in (0, 2)}
    # both halves of three masks, and the clusters, whose colour is that after theirs
    assert counts[2] == 3 * 60 * 160 + 3 * 120 * 160
    assert 3 * 60 * 160 <= counts[0] < 3 * 60 * 160 + 5000  # and the letters


def test_worst_clips_come_first_and_not_all(tmp_path: Path) -> None:
    clips = [ScoredClip(f'segmentation/v{n}_0.png', f'v{n}', dict(clustering=float(n))) for n in range(MOST_CLIPS + 5)]
    page = write_segmentation_report(
        tmp_path, dict(clustering=(22.0, 0.5)), 12.5, clips[::-1], dict(config='x.py', data='DAVIS')
    ).read_text()
    assert re.findall(r'<img src="segmentation/v(\d+)_0.png"', page) == [str(n) for n in range(MOST_CLIPS)]
    assert f'{MOST_CLIPS} of {MOST_CLIPS + 5}' in page and 'x.py' in page and 'DAVIS' in page
    assert '<td>clustering</td><td>22.0</td><td>0.5</td>' in page and '<td>all background</td><td>12.5</td>' in page
