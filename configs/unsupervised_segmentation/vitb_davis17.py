# Unsupervised video object segmentation of the DAVIS-2017 validation videos by k-means of the dense features of a
# frozen ViT-B (arch=small for ViT-S): one clip of 16 evenly spaced frames per video, masks and features at 28 x 28.
# Protocol of TimeTuning (ICCV 2023), as in the SIGMA paper. Nothing is trained: tools/test.py CONFIG PRETRAINED.pth
# The final norm is that of pre-training. Fine-tuned weights do not have it: model.backbone.final_norm=False
_base_ = ['../_base_/default_runtime.py']

# base or small
arch = 'base'
data_root = 'data/DAVIS'
num_frames = 16
# even, random or consecutive
frame_choice = 'even'
img_size = 224
mask_size = 28
num_workers = 4

# as many clusters as ids ('gt'), and over-clustering, for which the paper gives 6 in one place and 10 in another
num_clusters = ('gt', 6, 10)
seeds = (0, 1, 2, 3, 4)
# the unit of clustering: frame, clip or dataset
level = 'clip'
# of PCA; None for raw features
num_components = 50
clustering = dict(
    num_clusters=num_clusters,
    seeds=seeds,
    level=level,
    size=mask_size,
    num_components=num_components,
    num_iters=50,
    num_restarts=5,
)

model = dict(
    type='FeatureClustering',
    # TimeTuning divides red by 0.228, everyone else by 0.229
    data_preprocessor=dict(type='VideoDataPreprocessor', std=(0.228 * 255, 0.224 * 255, 0.225 * 255)),
    clustering=clustering,
    backbone=dict(
        type='VideoVisionTransformer',
        arch=arch,
        img_size=img_size,
        num_frames=num_frames,
        patch_size=16,
        tubelet_size=2,
        final_norm=True,
    ),
)
load_backbone_only = True
# True for encoders that define their own weights
weights_in_config = False

test_dataloader = dict(
    # one at a time, so that no result depends on how clips are batched
    batch_size=1,
    num_workers=num_workers,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SegmentationClipDataset',
        layout='davis',
        data_root=data_root,
        year=2017,
        split='val',
        num_frames=num_frames,
        frame_choice=frame_choice,
        img_size=img_size,
        mask_size=mask_size,
    ),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='UnsupervisedSegmentationMetric', clustering=clustering)
