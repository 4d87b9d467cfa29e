# Test on DAVIS-2017, test-dev. Only the first masks are public: <work dir>/davis2017_test-dev.zip goes to the server.
_base_ = ['r50_ytvos.py']

test_dataloader = dict(dataset=dict(split='test-dev'))
test_evaluator = dict(out_dir='davis2017_test-dev', score=False, archive=True)
