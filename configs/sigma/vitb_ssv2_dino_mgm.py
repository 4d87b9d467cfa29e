# SIGMA-DINO with motion-guided masks (MGMAE), ViT-B, Something-Something V2, 800 epochs. 512 clips per step, learning
# rate 3.0e-4. The visible tubes follow what moves, by OpenCV's optical flow in the loader; for that of RAFT-small on
# the GPU, leave out MotionGuidedMask and set data_preprocessor=dict(type='MotionGuidedPreprocessor').
_base_ = ['vitb_ssv2_dino.py']

crop_and_mask = [
    *_base_.crop_and_mask[:1],
    dict(type='MotionGuidedMask', grid=(8, 14, 14), mask_ratio=_base_.mask_ratio),
    *_base_.crop_and_mask[2:],
]
repeated = [dict(type='RepeatAugment', num_repeats=_base_.num_samples, transforms=crop_and_mask)]
train_pipeline = [*_base_.read, *(repeated if _base_.num_samples > 1 else crop_and_mask)]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
