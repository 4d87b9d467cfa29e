# Unsupervised segmentation of the demo dataset with features of the frozen tiny demo model: clips of 8 frames of 64 x
# 64. For DAVIS: --cfg-options data_root=data/DAVIS
_base_ = ['../unsupervised_segmentation/vitb_davis17.py']

data_root = 'demo_data'
num_frames = 8
img_size = 64
num_workers = 2

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=128, depth=4, num_heads=4),
        img_size=img_size,
        num_frames=num_frames,
        patch_size=8,
    )
)
test_dataloader = dict(
    num_workers=num_workers, dataset=dict(data_root=data_root, num_frames=num_frames, img_size=img_size)
)
