"""The notebooks of ``docs/tutorials``: they run as they are, with small settings, and come to results."""

import ast
import json
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
TUTORIALS = {path.stem: path for path in sorted((ROOT / 'docs' / 'tutorials').glob('*.ipynb'))}
SMALL = {'VIDEOS': '--num-videos 8 --num-classes 2 --val-share 0.5 --num-workers 0', 'WORKERS': 0}
SETTINGS = {
    'sigma': SMALL | {'EPOCHS': 2, 'BATCH_SIZE': 2},
    'mask_vos': SMALL | {'CORRESPONDENCE_EPOCHS': 1, 'JOINT_EPOCHS': 1, 'SHORT_SIDE': 64},
    'gta': SMALL | {'EPOCHS': 2, 'GROUPS_PER_EPOCH': 15},
}
RESULTS = {
    'sigma': 'dict(features=list(features.shape), similarity=similarity.amax().item(), **scores)',
    'mask_vos': 'dict(losses=losses, frames=len(result.masks), truth=len(truth), J=overlap.mean(), **scores)',
    'gta': 'dict(losses=[line["loss"] for line in scalars], agreement=agreement, frames=len(carried), '
    'truth=len(first), **scores)',
}
"""What is asked of the kernel after the last cell, as an expression."""


@cache
def read(name: str) -> Any:
    return nbformat.read(TUTORIALS[name], as_version=4)


def settings_of(name: str) -> Any:
    (cell,) = (cell for cell in read(name).cells if 'settings' in cell.metadata.get('tags', ()))
    return cell


@pytest.fixture(scope='session')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all tutorials write to; the first one makes the data set, which the others find there."""
    return tmp_path_factory.mktemp('tutorials')


def run(name: str, folder: Path, elsewhere: Path) -> dict[str, Any]:
    """Run a tutorial from another folder, and return its results."""
    notebook = nbformat.from_dict(read(name))
    place = next(number for number, cell in enumerate(notebook.cells) if cell.id == settings_of(name).id)
    small = [f'{key} = {value!r}' for key, value in SETTINGS[name].items()]
    inserted = '\n'.join([f'OUT = Path({str(folder)!r})', *small])
    asked = f'import json\nprint(json.dumps({RESULTS[name]}))'
    cells = [*notebook.cells[: place + 1], nbformat.v4.new_code_cell(inserted), *notebook.cells[place + 1 :]]
    notebook.cells = [*cells, nbformat.v4.new_code_cell(asked)]
    NotebookClient(notebook, timeout=240, resources={'metadata': {'path': str(elsewhere)}}).execute()
    found: dict[str, Any] = json.loads(notebook.cells[-1].outputs[-1].text)
    assert list(elsewhere.iterdir()) == []
    pictures = [output for cell in notebook.cells for output in cell.get('outputs', ()) if 'data' in output]
    assert sum('image/png' in output.data or 'data:' in output.data.get('text/html', '') for output in pictures) >= 4
    return found


@pytest.mark.parametrize('name', TUTORIALS)
def test_notebooks_are_committed_without_outputs(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == 'code']
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert notebook.metadata.keys() == {'kernelspec', 'language_info'}


@pytest.mark.parametrize('name', TUTORIALS)
def test_small_settings_replace_what_is_there(name: str) -> None:
    tree = ast.parse(settings_of(name).source)
    names = {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets}
    assert names == {'OUT', *SETTINGS[name]}


@pytest.mark.slow
def test_sigma_learns_features(folder: Path, tmp_path: Path) -> None:
    found = run('sigma', folder, tmp_path)
    assert found['features'] == [4, 128]
    assert -1 < found['similarity'] < 1
    assert found['knn1_top1'] in (0, 25, 50, 75, 100)


@pytest.mark.slow
def test_mask_vos_follows_an_object(folder: Path, tmp_path: Path) -> None:
    found = run('mask_vos', folder, tmp_path)
    assert found['losses'] and all(0 < loss < 100 for loss in found['losses'])
    assert found['frames'] == found['truth'] > 30
    assert 0.05 < found['J'] < 1 and 5 < found['vos/J_mean'] < 100
    masks = folder / 'segmented' / 'masks'
    assert len(list(masks.glob('*.png'))) == found['frames'] and (folder / 'segmented' / 'overlay.mp4').stat().st_size


@pytest.mark.slow
def test_gta_aligns_videos(folder: Path, tmp_path: Path) -> None:
    found = run('gta', folder, tmp_path)
    assert found['losses'] and all(0 < loss < 20 for loss in found['losses'])
    assert found['frames'] == found['truth'] and found['agreement'] > 0.3
    assert -100 <= found['alignment/kendall_tau'] <= 100
    assert (folder / 'aligned.mp4').stat().st_size and (folder / 'alignment' / 'cost.npy').is_file()
