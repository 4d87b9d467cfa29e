# Defaults of every run: hooks, logs, seeds, backends, precision.
default_scope = 'mmsigma'

default_hooks = dict(
    runtime_info=dict(type='DeferredRuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # the oldest is deleted after the newest is written
    checkpoint=dict(type='CheckpointHook', interval=20, max_keep_ckpts=3, save_last=True),
)
custom_hooks = [
    dict(type='NonFiniteLossHook'),
    dict(type='BadVideoHook', max_share=0.05),
    dict(type='ProgressHook'),
    dict(type='PicturesHook'),
]

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # the others wait while one process clusters or evaluates; nccl would give up after ten minutes
    dist_cfg=dict(backend='nccl', timeout=7200),
)
# 'high' uses TF32 if the GPU supports it, except for the prototype scores and the frozen encoder
float32_matmul_precision = 'high'
# on CPUs, linear layers are computed in the way that is measured to be 'fastest'; 'matmul' or 'convolution' for bits
# that agree between machines
cpu_linear = 'fastest'
log_processor = dict(window_size=50)
# where scalars and pictures go besides the folder of the run: none, tensorboard or wandb
tracker = 'none'
vis_backends = dict(
    none=[dict(type='LocalVisBackend')],
    tensorboard=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
    wandb=[dict(type='LocalVisBackend'), dict(type='WandbVisBackend', init_kwargs=dict(project='mmsigma'))],
)[tracker]
visualizer = dict(type='Visualizer', vis_backends=vis_backends)

randomness = dict(seed=0)
log_level = 'INFO'
load_from = None
resume = False
