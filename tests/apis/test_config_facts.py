"""What ``mmsigma list --long`` says of a config."""

from pathlib import Path

import pytest

from mmsigma.apis.config_facts import Need, config_facts
from mmsigma.cli import run_command
from mmsigma.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def test_results_and_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    facts = config_facts(CONFIGS / 'sigma' / 'vitb_k400_dino.py', CONFIGS)
    assert facts.method == 'SIGMA'
    assert 'Fine-tuning on SSv2: Top 1 Accuracy 71.1' in facts.expected
    assert facts.needs == [
        Need('model.target.weights', 'weights of timm', None),
        Need('train_dataloader.dataset.data_root', 'data/kinetics400', False),
        Need('train_dataloader.dataset.ann_file', 'data/kinetics400/train.txt', False),
    ]
    Path('data/kinetics400').mkdir(parents=True)
    assert [need.there for need in config_facts(CONFIGS / 'sigma' / 'vitb_k400_dino.py', CONFIGS).needs] == [
        None,
        True,
        False,
    ]


def test_options_and_files_of_weights() -> None:
    facts = config_facts(CONFIGS / 'mask_vos' / 'r18_ytvos.py', CONFIGS)
    assert 'Semi-Supervised Video Object Segmentation on DAVIS-2017 (num_clusters=2): J&F 67.5' in facts.expected
    facts = config_facts(CONFIGS / 'gta' / 'gta_penn_action.py', CONFIGS)
    assert Need('load_from', 'checkpoints/resnet50v2_imagenet.pth', False) in facts.needs


@pytest.mark.parametrize(
    'path', [path for path in sorted(CONFIGS.rglob('*.py')) if '_base_' not in path.parts], ids=lambda path: path.stem
)
def test_every_config_has_facts(path: Path) -> None:
    facts = config_facts(path, CONFIGS)
    assert facts.method in MODELS and len({need.path for need in facts.needs}) == len(facts.needs)
    assert facts.needs or path.stem.startswith(('rendered_', 'colour')), 'it reads nothing'


def test_list_long(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(['list', 'vos/dino_vits8', '--long'])
    shown = capsys.readouterr().out
    assert '    model     LabelPropagation' in shown
    assert '    needs     weights of timm, downloaded at first (model.backbone.weights)' in shown
