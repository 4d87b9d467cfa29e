"""Published weights that load here: where their authors offer them, under which licence, and how to get them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmsigma.checkpoints.hub import quiet_hub

_SUFFIXES = ('.safetensors', '.pth', '.pt', '.bin')
_VIDEOMAE_PAGE = 'https://github.com/MCG-NJU/VideoMAE/blob/main/MODEL_ZOO.md'


@dataclass(frozen=True)
class Weights:
    """Published weights.

    Attributes:
        about: What they are.
        licence: Licence as their authors state it.
        use: Command that uses the file, which it calls FILE.
        hub: Repository on the Hugging Face hub, or None.
        page: Page on which their authors offer them, for those that are fetched by hand.
        md5: Digest of the file, where its authors publish one.
    """

    about: str
    licence: str
    use: str
    hub: str | None = None
    page: str | None = None
    md5: str | None = None


def _videomae(size: str, data: str, config: str) -> Weights:
    stage = f'fine-tuned on {data}' if config.startswith('finetune') and data else 'pre-trained on Kinetics-400'
    ending = {'': '', 'Kinetics-400': '-finetuned-kinetics', 'SSv2': '-finetuned-ssv2'}[data]
    verb = 'test' if data else 'extract'
    return Weights(
        f'VideoMAE ViT-{size[0].upper()}, {stage}, layout of transformers',
        'CC-BY-NC-4.0',
        f'mmsigma {verb} mmsigma::{config} FILE' + (' features' if verb == 'extract' else ''),
        hub=f'MCG-NJU/videomae-{size}{ending}',
    )


def _timm(name: str, use: str) -> Weights:
    return Weights(f'{name} of timm', 'Apache-2.0', use, hub=f'timm/{name}')


_TARGET = 'mmsigma train mmsigma::sigma/{} --cfg-options model.target.weights=FILE'
ZOO: dict[str, Weights] = {
    'sigma': Weights(
        'SIGMA, ViT-S and ViT-B, Kinetics-400 and Something-Something V2, pre-trained and fine-tuned',
        'not stated with the files',
        'mmsigma convert FILE sigma.pth --trust',
        hub='SMSD75/SIGMA',
    ),
    'videomae-base': _videomae('base', '', 'knn/vitb_k400'),
    'videomae-base-kinetics': _videomae('base', 'Kinetics-400', 'finetune/vitb_k400'),
    'videomae-base-ssv2': _videomae('base', 'SSv2', 'finetune/vitb_ssv2'),
    'videomae-small-kinetics': _videomae('small', 'Kinetics-400', 'finetune/vits_k400'),
    'videomae-small-ssv2': _videomae('small', 'SSv2', 'finetune/vits_ssv2'),
    'videomae-official': Weights(
        'VideoMAE, ViT-S, ViT-B and ViT-L, Kinetics-400, SSv2 and UCF101, pre-trained and fine-tuned: Google Drive',
        'CC-BY-NC-4.0',
        'mmsigma convert FILE videomae.pth --trust',
        page=_VIDEOMAE_PAGE,
    ),
    'dino-vitb16': _timm('vit_base_patch16_224.dino', _TARGET.format('vitb_k400_dino')),
    'dino-vits8': _timm(
        'vit_small_patch8_224.dino', 'mmsigma test mmsigma::vos/dino_vits8 --cfg-options model.backbone.weights=FILE'
    ),
    'dinov2-vitb14': _timm('vit_base_patch14_reg4_dinov2.lvd142m', _TARGET.format('vitb_k400_dinov2')),
    'crw': Weights(
        'CRW, ResNet-18, Kinetics-400: pretrained.pth in the root of the repository',
        'MIT',
        'mmsigma test mmsigma::vos/r18_crw FILE',
        page='https://github.com/ajabri/videowalk',
    ),
    'mast': Weights(
        'MAST, ResNet-18: linked in its README',
        'none stated, so that it may not be redistributed',
        'mmsigma test mmsigma::vos/mast_r18 FILE',
        page='https://github.com/zlai0/MAST',
    ),
    'resnet50v2-imagenet': Weights(
        "ResNet50V2 of Keras, ImageNet, for GTA's recipes: resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        'Apache-2.0 (code of Keras)',
        'mmsigma convert FILE checkpoints/resnet50v2_imagenet.pth',
        page='https://github.com/keras-team/keras-applications/releases/tag/resnet',
        md5='fac2f116257151a9d068a22e544a4917',
    ),
}


class DownloadError(RuntimeError):
    """Weights that could not be fetched; the message says how to get them."""


def fetch(name: str, folder: str | Path, file: str | None = None, say: Callable[[str], Any] = print) -> Path | None:
    """Download weights of the zoo from the Hugging Face hub, or say where they are to be had.

    A download that was interrupted goes on where it stopped; the file has its name only when it is complete.

    Args:
        name: Key of ``ZOO``.
        folder: Folder for the file.
        file: File of the repository, if it has several.
        say: Function that is called with lines for the user.

    Returns:
        The file, or None if it has to be fetched by hand.

    Raises:
        ValueError: If there are no such weights, or the repository has several files and none was chosen.
        DownloadError: If the hub cannot be reached or refuses.
    """
    if name not in ZOO:
        raise ValueError(f'there are no weights {name!r}: choose one of {", ".join(ZOO)}')
    weights = ZOO[name]
    if weights.hub is None:
        say(f'{name} is not on the hub. Get it in a browser: {weights.page}')
        say(f'then: {weights.use}')
        return None
    from huggingface_hub import hf_hub_download, list_repo_files
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of whichever library it uses

    target = Path(folder) / name
    say(f'asking the hub for {weights.hub}; without network, it is tried for half a minute')
    try:
        with quiet_hub():
            file = file or _only_file(weights.hub, list_repo_files(weights.hub))
            path = Path(hf_hub_download(weights.hub, file, local_dir=target))
    except (HTTPError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DownloadError(
            f'{weights.hub} could not be fetched ({reason}). Without network here, download https://huggingface.co/{weights.hub}'
            f' elsewhere and copy it to {target}; if your network has a mirror, set HF_ENDPOINT'
        ) from error
    say(f'{path} ({path.stat().st_size / 1e6:,.0f} MB, SHA-256 {_digest(path, "sha256")}), licence: {weights.licence}')
    say(f'then: {weights.use.replace("FILE", str(path))}')
    return path


def check_digest(name: str, path: str | Path) -> None:
    """Check a file that was fetched by hand against the digest that its authors publish, if they do.

    Raises:
        ValueError: If they differ.
    """
    expected = ZOO[name].md5
    if expected and (found := _digest(Path(path), 'md5')) != expected:
        raise ValueError(f'{path} has the MD5 {found}, but {name} has {expected}: download it again')


def _only_file(hub: str, files: list[str]) -> str:
    """Return the file with weights of a repository: safetensors before others of the same name."""
    found = sorted(
        (file for file in files if file.endswith(_SUFFIXES)), key=lambda file: _SUFFIXES.index(Path(file).suffix)
    )
    # transformers stores the same weights as model.safetensors and pytorch_model.bin
    single = [file for file in found if file in ('model.safetensors', 'pytorch_model.bin')][:1]
    if len(found) == 1 or single:
        return (single or found)[0]
    raise ValueError(f'{hub} has {len(found)} files with weights; choose one with --file: {", ".join(found) or "none"}')


def _digest(path: Path, kind: str) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, kind).hexdigest()


def zoo_table() -> str:
    """Return the zoo as a table in Markdown, as docs/model_zoo.md has it."""
    rows = ['| name | what | where | licence | size, checksum | use |', '|---|---|---|---|---|---|']
    for name, one in ZOO.items():
        where = f'[{one.hub}](https://huggingface.co/{one.hub})' if one.hub else f'[page]({one.page})'
        digest = f'MD5 `{one.md5}`' if one.md5 else 'not known' if one.page else 'said after the download'
        rows.append(f'| `{name}` | {one.about} | {where} | {one.licence} | {digest} | `{one.use}` |')
    return '\n'.join(rows) + '\n'
