"""Write docs/evidence.md from the records of evidence_*.py.

python benchmarks/evidence_tables.py
"""

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmsigma.io.atomic import write_atomically

ROOT = Path(__file__).resolve().parents[1]
RECORDS, PAGE = ROOT / 'benchmarks' / 'records' / 'evidence', ROOT / 'docs' / 'evidence.md'
Record = dict[str, Any]
STEPS_PER_EPOCH = 50  # of Mask-VOS
SEQUENCES = (
    'blackswan',
    'camel',
    'car-shadow',
    'cows',
    'dog',
    'drift-straight',
    'horsejump-high',
    'libby',
)

INTRODUCTION = """# Evidence

Does it learn? Small models are trained on real, labelled video that fits a CPU, and on rendered clips, and their
frozen features are compared with those of untrained ones. This page is written by `python
benchmarks/evidence_tables.py` from the [records](../benchmarks/records/evidence), which have seeds, settings,
hardware and minutes of every run. A cell is the mean over seeds, with the standard deviation if there are several.
"""

SIGMA = """
## SIGMA on real video

Pre-training on UT-Interaction, the training videos of DAVIS-2016 at 240p and other clips, without labels: 8 frames of
112 x 112, 192 channels, 6 blocks ([configs](../configs/evidence)). *Linear*, *kNN* and *attentive*: accuracy in
percent on the six interactions of UT-Interaction, in ten folds by sequence; chance is 16.7, and 120 clips make about
4 points of noise. *Linear* is the best of five learning rates, chosen on the test folds for every row alike, on the
second block or the output. *J&F*: label propagation on eight sequences of DAVIS-2016 at 240 x 432. *mIoU*: clusters of
the features of these, as many as there are masks; an empty prediction has 45.7. `lite0_itself` is the frozen teacher,
which has seen the labels of ImageNet.
"""

RENDERED = """
## Clips whose properties are known

A textured shape moves before a backdrop; every clip is rendered anew. A linear probe of the mean output token reads
each property ([script](../benchmarks/evidence_rendered.py)), accuracy in percent. The properties are those that an
untrained encoder hardly reads: position and direction are independent of texture and shape.
"""

MASKS = """
## Mask-VOS on DAVIS-2016

Trained on the training videos of DAVIS-2016 at 240p and 17 other clips, without their masks, in crops of 128 x 128, 8
clips a step; tested on eight other sequences at 240 x 424 ([script](../benchmarks/evidence_mask_vos.py),
[config](../configs/evidence/mask_vos_lite0.py)). *Keys*: label propagation. *Decoder*: the whole model. Both have the
memory of the paper, with the window for this size. The start is EfficientNet-Lite0, which has seen the labels of
ImageNet; *untrained keys* are a random projection of its maps, to which correspondence is learnt first. J&F in percent.
The start of *rendered* are random weights.
"""

READ_MASKS = """
From a start that has seen ImageNet there is little to gain in so few steps: untrained keys have 57.9, 450 steps of
correspondence 58.9, and with all losses in the last 150 of them 59.5. As in the paper, segmentation
makes better keys than the same steps of correspondence alone; the difference is within what one seed can show. The
decoder, which starts from nothing and has seen 150 steps of 8 small clips, has 49.2, above its keys on drift-straight
and libby alone; in the paper it is above them, after some 20,000 steps of 16. The network's own maps, with cells twice
as large and a memory of 7 frames, have 53.5.

*lite0 skips* is a second run, in bfloat16, whose decoder is given the encoder's own maps of strides 4 and 8, and whose
pseudo masks are soft and on 60 x 107 cells. Its keys are better, 61.3 after 400 steps of all losses, 2.7 more than
before them. Its decoder, 29.8, is not bad at a single frame: of the frame after the first, it finds better masks than
the keys do. But it has learnt from pseudo masks as its memory, and in testing from its own, whose errors add up frame
by frame, whatever the number of rounds. With the memory of testing, *memory of testing*, it learns from what it made
itself, on clips of five frames: 200 steps of that give 48.4 instead of 29.8, and 200 more with a rate that decays to a
hundredth 51.3, while the keys stay at 61 to 62, the best of all. What is left of the drift is that objects shrink.
Above its keys the decoder is on blackswan alone (83.7 against 79.4). So the goal is not reached, but its cause is
known, and training on longer clips, for longer, is what to try next.

*rendered* is a [small network](video_object_segmentation.md#a-network-that-comes-along) that has learnt from generated
videos alone, and comes along with the package: 57.6 after 1,000 steps, 50.9 untrained; colours have 52.4. *decayed*
goes on for 1,500 steps with a rate that decays, and gains nothing.
"""

PHASES = """
## GTA on labelled phases

Persons who sit down and rise, and who lie down and rise: 22 videos to train on, 14 to test, three phases. *Tau*,
*phases* (support vector machine), *progression* (R² of a linear fit; below zero, it is worse than the mean) and *AP@5*
are higher for better embeddings; *wrong phase* is of frames on the path between two videos, which is {diagonal} at a
constant pace ([script](../benchmarks/evidence_gta.py), [configs](../configs/evidence)). *Frozen*: maps of
EfficientNet-Lite0, which has seen the labels of ImageNet. *Scratch*: patches of 8 x 8 pixels. TCC, TCN and SaL have
embeddings of any length, whose progression is not bounded.

On frozen maps, the alignment losses (SmoothDTW, soft-DTW, GTA) separate phases best: 57 to 60 %, the other methods at
most 54, untrained convolutions 44. The benefit of the cycle, 1.4 with SmoothDTW and -0.9 with soft-DTW, is within the
spread over three seeds, and Kendall's tau does not tell the losses apart: that GTA is ahead of alignment without the
cycle cannot be seen here. 400 steps learn 22 videos by heart. Rows of *scratch* have one seed; there the alignment
losses have 44 to 54 % of the phases, the other methods 47 to 53, untrained patches 46, and no order can be seen.
"""

ALIGNMENT = """
## Cost and path of an alignment

Frames in the wrong phase on the path between two videos, in percent, and how the default was chosen, are in
[alignment](alignment.md) ([record](../benchmarks/records/evidence/alignment_paths.json)).
"""

READ = """
After 2,970 steps of 32 clips with 90 % of the tubes masked, SIGMA with the frozen teacher, of two seeds, is ahead of
pixels and of SIGMA-MLP in label propagation, as in the paper: 39.3 against 31.7 and 30.6, which is 35.9 untrained. It
is not beyond doubt in the linear probe: its seeds have 31.7 and 25.0 at the second block, the others 27.5. In the
attentive probe, which was not run for these, one seed has 30.8, untrained 16.7. Regression of the same teacher's
features without prototypes (`lite0_l2`) is not behind it, but for the attentive probe: 40.2, 30.0 and 23.3. So what
helps here is the teacher, and hardly yet the clusters. SIGMA-MLP is not ahead of pixels either. Both first make
features worse, then better; what they gain in the probe is within its noise. The teacher itself is far above all.
Regression of an MLP's features (`mlp_l2`) collapses, as the paper says: the standard deviation of its targets falls
from 0.024 to 0.0001 and its loss from 0.24 to 3e-7, while its features stay about as good as untrained ones. All but
SIGMA with the teacher are one seed, and the steps so few that pixels have hardly begun: their loss is still 0.97, and
SIGMA-MLP uses 37 of 256 prototypes.
"""

MATRIX = """
## One encoder through all uses

![Scores of frozen encoders in four uses](matrix.svg)

What the frozen features of one network recognise (linear probe on the mean token, UT-Interaction), follow (label
propagation, DAVIS-2016), separate (clusters of features, DAVIS-2016; an empty prediction has 45.7) and order (Kendall's
tau of the mean tokens of frames, FIR), all in percent ([script](../benchmarks/matrix.py),
[record](../benchmarks/records/evidence/matrix.json)). The first four rows are a small video transformer, which sees
frames of FIR as clips in which nothing moves; the others begin with EfficientNet-Lite0, which has seen the labels of
ImageNet. Each row is one seed. GTA has trained the normalisation layers for 50 steps on FIR.
"""

NOT_YET = """
## Not run yet

Longer training of SIGMA in all variants and of Mask-VOS's decoder.
`benchmarks/evidence_sigma.py` and `benchmarks/evidence_rendered.py` continue interrupted runs.
"""


def read(pattern: str) -> dict[tuple[str, str], list[Record]]:
    """Read records by variant and tag, in the order of seeds."""
    found: dict[tuple[str, str], list[Record]] = {}
    for path in sorted(RECORDS.glob(pattern)):
        record = json.loads(path.read_text())
        found.setdefault((record['variant'], record['tag']), []).append(record)
    return found


def cell(values: list[float]) -> str:
    """Format a mean, with the standard deviation of several values; a dash for none."""
    if not values:
        return '-'
    mean = f'{statistics.mean(values):.1f}'
    return f'{mean} ± {statistics.stdev(values):.1f}' if len(values) > 1 else mean


def table(head: list[str], rows: Iterator[list[str]]) -> str:
    lines = ['| ' + ' | '.join(row) + ' |' for row in (head, ['---'] * len(head), *rows)]
    return '\n' + '\n'.join(lines) + '\n'


def sigma_rows() -> Iterator[list[str]]:
    """Rows of the table of SIGMA: one per variant and number of steps."""
    for (variant, tag), records in read('sigma_*.json').items():
        for step in sorted({int(step) for record in records for step in record['tests']}):
            tests = [record['tests'][str(step)] for record in records if str(step) in record['tests']]
            probes = [test['probes'] for test in tests if 'probes' in test]
            row = [f'{variant} {tag}'.strip(), str(step)]
            for name in ('linear, block 2', 'linear, out', 'kNN 5', 'attentive'):
                row.append(cell([probe[name]['accuracy'] for probe in probes if name in probe]))
            row.append(cell([test['propagation']['all']['J&F'] for test in tests if 'propagation' in test]))
            name = 'segmentation/clustering_mIoU'
            row.append(cell([test['segmentation'][name] for test in tests if 'segmentation' in test]))
            yield [*row, cell([record['minutes'] for record in records if 'minutes' in record])]


def rendered_rows(factors: list[str]) -> Iterator[list[str]]:
    """Rows of the table of rendered clips: one per variant and number of steps."""
    for (variant, _), records in read('rendered_*.json').items():
        options = records[0]['options']
        backdrop, floor = options.get('backdrop', 'texture'), options.get('min_deviation', '0')
        for step in sorted({int(step) for record in records for step in record['tests']}):
            tests = [record['tests'][str(step)] for record in records if str(step) in record['tests']]
            scores = [[test['out'][factor] for test in tests] for factor in factors]
            minutes = cell([record['minutes'] for record in records if 'minutes' in record])
            yield [variant, backdrop, floor, str(step), *map(cell, scores), minutes]


def phase_rows() -> Iterator[list[str]]:
    """Rows of the table of GTA: one per method and encoder."""
    for path in sorted(RECORDS.glob('gta_*.json')):
        record = json.loads(path.read_text())
        steps = 50 * record['epochs']
        for method, runs in record['runs'].items():
            names = ('kendall_tau', 'svm@1', 'progression@1', 'AP@5', 'path_phase')
            scores = [[run[f'alignment/{name}'] for run in runs.values()] for name in names]
            scores[2] = scores[2] if min(scores[2]) > -1000 else []  # embeddings of any length
            number = '0' if method == 'random' else str(steps)
            yield [record['videos'], record['encoder'], method, number, *map(cell, scores)]


def mask_rows() -> Iterator[list[str]]:
    """Rows of the table of Mask-VOS: one per network and way to segment."""
    for path in sorted(RECORDS.glob('mask_vos_*.json')):
        record = json.loads(path.read_text())
        name = f'{record["variant"]} {record["tag"]}'.strip()
        for what, scores in record['baselines'].items():
            yield [name, what, '0', *_of_sequences(scores), '-']
        for stage, found in record['stages'].items():
            total = _steps_until(record, stage)
            for way in ('keys', 'decoder'):
                if way in found:
                    yield [name, f'{stage}: {way}', str(total), *_of_sequences(found[way]), cell([found['minutes']])]


def _steps_until(record: Record, stage: str) -> int:
    """Return the number of steps from the start to the end of a stage."""
    if stage not in record['stages']:  # the first one, of another record of the run
        return int(STEPS_PER_EPOCH * record['correspondence'])
    found = record['stages'][stage]
    before = found.get('after', 'correspondence')
    return int(found['last']['step']) + (0 if before == stage else _steps_until(record, before))


def _of_sequences(scores: dict[str, dict[str, float]]) -> list[str]:
    total = [cell([scores['all'][name]]) for name in ('J&F', 'J_mean', 'F_mean')]
    return [*total, *(cell([scores[name]['J&F']]) for name in SEQUENCES)]


def page() -> str:
    """Build the whole page."""
    head = ['variant', 'steps', 'linear, block 2', 'linear', 'kNN', 'attentive', 'J&F', 'mIoU', 'minutes']
    (first, *_) = read('rendered_*.json').values()
    classes = first[0]['classes']
    chance = ['chance', '', '', '', *(f'{100 / number:.1f}' for number in classes.values()), '']
    rendered = table(
        ['variant', 'backdrop', 'min_deviation', 'steps', *classes, 'minutes'],
        iter([chance, *rendered_rows([*classes])]),
    )
    head_of_phases = ['videos', 'encoder', 'method', 'steps', 'tau', 'phases', 'progression', 'AP@5', 'wrong phase']
    runs = json.loads((RECORDS / 'gta_fir_frozen.json').read_text())['runs']['random'].values()
    diagonal = cell([run['alignment/diagonal_phase'] for run in runs][:1])
    phases = PHASES.format(diagonal=diagonal) + table(head_of_phases, phase_rows())
    head_of_masks = ['start', 'stage', 'steps', 'J&F', 'J', 'F', *SEQUENCES, 'minutes']
    masks = MASKS + table(head_of_masks, mask_rows()) + READ_MASKS
    sections = (
        INTRODUCTION,
        SIGMA,
        table(head, sigma_rows()),
        READ,
        RENDERED,
        rendered,
        masks,
        phases,
        ALIGNMENT,
        NOT_YET,
    )
    return ''.join(sections)


if __name__ == '__main__':
    write_atomically(PAGE, lambda name: Path(name).write_text(page()))
