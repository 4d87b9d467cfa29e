"""Pages of pseudo masks and of prototypes, and the tools that write them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmsigma.apis.clustering_reports import DrawnPrototypes, write_prototypes_report, write_rounds_report
from mmsigma.datasets import PseudoMaskRounds
from mmsigma.datasets.vos.pseudo_masks import PseudoMasks
from mmsigma.io.pictures import read_picture
from mmsigma.io.tables import read_csv
from mmsigma.utils.config import load_config
from tests.vos_data import SIZE, draw_video, write_frames

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def rounds(tmp_path: Path) -> PseudoMaskRounds:
    """Two rounds on a folder of frames and a video that is gone; quarters 1 and 3 of the frames may be objects."""
    write_frames(tmp_path / 'videos' / 'ant <b>', draw_video(4)[0], [f'{number:03d}' for number in range(4)])
    rounds = PseudoMaskRounds(tmp_path / 'rounds')
    quarters = np.tile(np.array([[0, 1], [2, 3]], np.uint8), (4, 1, 1))
    for number in range(2):
        for name, kept in (('ant <b>', [1, 3]), ('gone', [])):
            masks = PseudoMasks(quarters, np.arange(4), np.array(kept, np.int64))
            rounds.write_video(number, str(tmp_path / 'videos' / name), masks)
        made = dict(round=number, epoch=5 * number, clusters_per_video=4.0, largest_share=0.25, settings=dict(size=64))
        rounds.finish(number, dict(made, without_objects=1, unreadable=0))
    return rounds


def test_rounds_and_their_masks(rounds: PseudoMaskRounds, tmp_path: Path) -> None:
    videos = [str(tmp_path / 'videos' / name) for name in ('ant <b>', 'gone')]
    page = write_rounds_report(tmp_path / 'out', rounds, videos, 'frames', facts=dict(config='x.py')).read_text()
    assert '<td>1</td><td>5</td><td>4.0</td><td>25.0</td><td>1</td><td>0</td>' in page and 'size 64' in page
    assert '<b>ant &lt;b&gt;</b> <span class="dim">2 of 4 clusters may be objects, 50 % of 4 frames' in page
    assert 'gone cannot be read' in page and '<b>ant <b>' not in page
    rows = [row for _, row in read_csv(tmp_path / 'out' / 'pseudo_masks.csv')[1]]
    assert [(row['may be objects'], row['their share, %']) for row in rows] == [('2', '50.000'), ('0', '0.000')]
    (picture,) = (tmp_path / 'out' / 'report').glob('*.png')
    assert read_picture(picture).shape[0] == 3 * (160 + 4) + 4 and SIZE[0] < 160
    with pytest.raises(FileNotFoundError, match='there is no round of pseudo masks'):
        write_rounds_report(tmp_path, PseudoMaskRounds(tmp_path / 'none'), videos)


def test_the_page_of_a_run(rounds: PseudoMaskRounds, tmp_path: Path, run_tool: Callable) -> None:
    (tmp_path / 'videos' / 'gone').mkdir()
    write_frames(tmp_path / 'videos' / 'gone' / 'in', draw_video(1)[0], ['0'])
    (tmp_path / 'videos' / 'gone' / 'in').rename(tmp_path / 'videos' / 'gone_in')
    (tmp_path / 'videos' / 'gone').rmdir()
    quarters = PseudoMasks(np.zeros((1, 2, 2), np.uint8), np.arange(1), np.array([0]))
    rounds.write_video(1, str(tmp_path / 'videos' / 'gone_in'), quarters)
    options = dict(data_root=str(tmp_path / 'videos'), decoder='frames')
    load_config(ROOT / 'configs/demo/mask_vos_tiny_demo.py', options).dump(tmp_path / 'config.py')
    run = run_tool('tools/report.py', 'clustering', tmp_path, '--out', tmp_path / 'page')
    page = tmp_path / 'page' / 'report.html'
    assert run.status == 0 and run.output.split()[-1] == str(page), run.errors
    assert page.read_text().count('<img') == 2
    run = run_tool('tools/report.py', 'clustering', tmp_path / 'videos')
    assert run.status == 1 and 'there is no config in' in run.errors
    (tmp_path / 'videos').rename(tmp_path / 'moved')
    run = run_tool('tools/report.py', 'clustering', tmp_path)
    assert run.status == 1 and 'relative to the folder in which the run was started: go there' in run.errors


def test_prototypes_of_all_videos_are_counted(tmp_path: Path) -> None:
    videos = {
        'a': DrawnPrototypes([2, 0], np.array([3, 0, 1, 0])),
        'b <i>': DrawnPrototypes([2], np.array([0, 0, 4, 0])),
    }
    page = write_prototypes_report(tmp_path, videos, dict(config='x.py')).read_text()
    assert '2 of 4' in page and '<td>2</td><td>62.5</td></tr><tr><td>0</td><td>37.5</td></tr></table>' in page
    assert 'src="b%20%3Ci%3E_prototypes.png"' in page and '<i>' not in page
    with pytest.raises(ValueError, match='there is no video to show'):
        write_prototypes_report(tmp_path, {})
