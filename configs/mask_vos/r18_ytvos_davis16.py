# Test on DAVIS-2016, validation: 20 videos of one object each.
_base_ = ['r18_ytvos.py']

test_dataloader = dict(dataset=dict(year=2016))
test_evaluator = dict(out_dir='davis2016_val')
