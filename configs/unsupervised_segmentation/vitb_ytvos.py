# Unsupervised video object segmentation of a fixed fifth of the YouTube-VOS training videos with the features of a
# frozen ViT-B (arch=small for ViT-S): clips of 4 annotated frames; ids are those of categories. The paper does not list
# the fifth that it uses. See vitb_davis17.py.
_base_ = ['vitb_davis17.py']

data_root = 'data/youtube_vos'
num_frames = 4

model = dict(backbone=dict(num_frames=num_frames))
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SegmentationClipDataset',
        layout='youtube_vos',
        data_root=data_root,
        split='train',
        all_frames=False,
        categories=True,
        share=0.2,
        num_frames=num_frames,
        frame_choice=_base_.frame_choice,
        img_size=_base_.img_size,
        mask_size=_base_.mask_size,
    )
)
