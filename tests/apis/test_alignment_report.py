"""Page of two aligned videos."""

from pathlib import Path

import numpy as np
import torch

from mmsigma.apis.alignment_report import write_alignment_report
from mmsigma.apis.video_aligner import EmbeddedVideo, align


def test_what_was_run_what_came_out_and_all_files(tmp_path: Path) -> None:
    steps = torch.linspace(0, 1, 5)[:, None]
    first, second = EmbeddedVideo('mine<', steps, 2.0), EmbeddedVideo('yours', steps, 4.0, np.arange(5) / 4)
    aligned = align(first, second, 'sqeuclidean', 'dtw')
    files = [tmp_path / name for name in ('alignment.png', 'alignment.csv', 'side_by_side.mp4')]
    text = write_alignment_report(tmp_path, aligned, 'path', files, {'config': 'gta/x'}).read_text()
    assert '<h1>mine&lt; and yours</h1>' in text and '<dd>gta/x</dd>' in text
    assert 'mine&lt;, 5 frames, 2.00 s' in text and 'yours, 5 frames, 1.00 s' in text
    assert '<dt>mean cost of a step</dt><dd>0.0000</dd>' in text
    assert all(f'<a href="{path.name}">' in text for path in files)
    assert text.index('<video src="side_by_side.mp4"') < text.index('<img src="alignment.png"')
    assert 'without sound' in text and '<polyline' in text and '>seconds of mine&lt;<' in text
