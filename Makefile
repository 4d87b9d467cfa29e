# make demo   set up, generate a small dataset, pre-train a tiny SIGMA on it, draw pictures
# make demo-vos   train correspondence on that dataset, once, and segment one of its videos with it, or your own:
#                 make demo-vos VIDEO=my_video.mp4 MASK=my_mask.png
# make demo-align   learn to align on a larger set of that kind, once, and align two of its videos, or your own:
#                   make demo-align FIRST=mine.mp4 SECOND=expert.mp4
# make test   set up and run the tests (PYTEST_ARGS='-m "not slow"' for the quick ones)
# make lint   ruff and mypy
# make bench  compare speeds with other programs', on a quiet machine; an hour
# make docs   the pages of docs/ as a site, in site/

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO_DATA ?= demo_data
DEMO_RUN ?= work_dirs/demo
DEMO_VOS_RUN ?= work_dirs/demo_vos
VIDEO ?= $(DEMO_DATA)/JPEGImages/480p/clip_0091
MASK ?= $(DEMO_DATA)/Annotations/480p/clip_0091/00000.png
VOS_RESULTS ?= vos_results
DEMO_ALIGN_RUN ?= work_dirs/demo_align
DEMO_ALIGN_DATA ?= work_dirs/demo_align_data
FIRST ?= $(DEMO_ALIGN_DATA)/videos/clip_0363.mp4
SECOND ?= $(DEMO_ALIGN_DATA)/videos/clip_0373.mp4
ALIGN_RESULTS ?= align_results
PYTEST_ARGS ?=

.PHONY: demo demo-vos demo-align test lint docs bench

demo: $(VENV)/.installed
	$(BIN)/python tools/make_demo_dataset.py --out $(DEMO_DATA) --num-workers 2
	$(BIN)/python tools/train.py configs/demo/sigma_tiny_demo_mlp.py --work-dir $(DEMO_RUN) --overwrite \
		--cfg-options data_root=$(DEMO_DATA)
	@echo "Pictures of the run: $$(ls -td $(DEMO_RUN)/*/pictures | head -n 1)"

# keys are useful after minutes, the mask decoder after hours: labels are carried by the keys
demo-vos: $(DEMO_VOS_RUN)/epoch_2.pth
	$(BIN)/python demo/vos_demo.py '$(VIDEO)' $(DEMO_VOS_RUN)/epoch_2.pth --mask '$(MASK)' --out '$(VOS_RESULTS)' \
		--config configs/mask_vos/r18_ytvos_keys.py \
		--cfg-options model.geometry.short_side=400 model.propagator.radius=8

$(DEMO_VOS_RUN)/epoch_2.pth: | $(VENV)/.installed
	$(BIN)/python tools/make_demo_dataset.py --out $(DEMO_DATA) --num-workers 2
	$(BIN)/python tools/train.py configs/demo/mask_vos_tiny_demo.py --work-dir $(DEMO_VOS_RUN) --resume auto \
		--cfg-options data_root=$(DEMO_DATA)/videos joint_epochs=0

demo-align: $(DEMO_ALIGN_RUN)/epoch_20.pth
	$(BIN)/python demo/align_demo.py '$(FIRST)' '$(SECOND)' $< --config configs/demo/gta_tiny_demo.py \
		--out '$(ALIGN_RESULTS)' --cam --anomaly

$(DEMO_ALIGN_RUN)/epoch_20.pth: | $(VENV)/.installed
	$(BIN)/python tools/make_demo_dataset.py --out $(DEMO_ALIGN_DATA) --num-videos 480 --num-classes 4 --num-workers 2
	$(BIN)/python tools/train.py configs/demo/gta_tiny_demo.py --work-dir $(DEMO_ALIGN_RUN) --resume auto \
		--cfg-options data_root=$(DEMO_ALIGN_DATA)

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[benchmarks]'
	$(BIN)/python benchmarks/bench.py

docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/.installed: pyproject.toml setup.py
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10), "Python 3.10 or newer is needed: make PYTHON=python3.11"'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@# a torch that is there already is kept, and torchvision chosen to match it
	torch=$$($(BIN)/python -c 'import torch; print("torch==" + torch.__version__.split("+")[0])' 2>/dev/null || true); \
		$(BIN)/python -m pip install --quiet --editable '.[dev]' $$torch
	@# mmcv and mmaction2 ask for an OpenCV that needs libGL; where that is missing, the same version does without
	$(BIN)/python -c 'import cv2' 2>/dev/null || { \
		version=$$($(BIN)/python -c 'from importlib.metadata import version; print(version("opencv-contrib-python"))'); \
		$(BIN)/python -m pip uninstall --quiet --yes opencv-python opencv-contrib-python; \
		$(BIN)/python -m pip install --quiet "opencv-contrib-python-headless==$$version"; }
	touch $@
