# `make demo` and `make test` are all that a newcomer needs; both set up the environment first.
PYTHON ?= $(or $(shell command -v python3.11),python3.12)
VENV := .venv
VLLM := .venv-vllm
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export SPARK_HOME ?= $(CURDIR)/.spark

IMAGE ?= examples/microwave.png
N ?= 200
SEED ?= 7
JOBS ?= 2
OUT ?= out/eval
VALIDATION ?= 50
PEAK ?= 2000
HARDWARE ?= cpu

# Of images: docker or podman, more options for its build, and where torch is looked for beside PyPI, whose wheel brings CUDA
ENGINE ?= $(or $(shell command -v docker),podman)
BUILD_FLAGS ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
IMAGES := $(addprefix image-,gateway vlm part-dit texture refinement)

.PHONY: help setup demo test test-release test-vllm check crd-models format protos bench bench-gpu bench-refine bench-confidence bench-assets bench-raster bench-kitchen bench-convex images $(IMAGES) images-test eval eval-full eval-publish eval-outside bad-input preview sim-scale clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(READY) ## create .venv with pinned dependencies

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q torch -c constraints.txt
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	! command -v npm > /dev/null || $(MAKE) --no-print-directory crd-models || true
	touch $@

demo: $(READY) ## reconstruct a sample image through the real services
	$(BIN)/spark up
	$(BIN)/spark reconstruct $(IMAGE) -o out/demo/asset
	$(BIN)/spark validate out/demo/asset
	@echo "asset:   $(CURDIR)/out/demo/asset"
	@echo "picture: $(CURDIR)/out/demo/asset/preview.png"
	@echo "'.venv/bin/spark down' stops the services (SPARK_HOME=$(SPARK_HOME))"

test: $(READY) ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/pytest

test-release: $(READY) ## swap model versions under traffic on two Triton and two VLM replicas, and print what it cost
	OMP_NUM_THREADS=1 $(BIN)/python tests/release/proof.py

test-vllm: $(READY) $(VLLM)/.ready ## the tests that need a real vLLM server, in an environment of its own: 3.5 GB
	SPARK_TEST_VLLM=$(VLLM) OMP_NUM_THREADS=1 $(BIN)/pytest tests/vllm

$(VLLM)/.ready: $(wildcard tests/vllm/environment/*)
	tests/vllm/environment/make.sh $(PYTHON) $(VLLM)
	touch $@

check: $(READY) ## lint and type-check everything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/hadolint gateway/Dockerfile $(wildcard services/*/Dockerfile)
	for profile in local gpu production; do \
	    $(BIN)/helm lint --quiet --strict helm/spark -f helm/spark/values-$$profile.yaml || exit 1; \
	done

images: $(IMAGES) ## build the container images for CPUs, with tag local

image-gateway: DOCKERFILE = gateway/Dockerfile
image-vlm: DOCKERFILE = services/vlm/Dockerfile
image-part-dit image-texture: DOCKERFILE = services/triton/Dockerfile
image-refinement: DOCKERFILE = services/refinement/Dockerfile
image-part-dit: MODEL = part_dit
image-texture: MODEL = texture
$(IMAGES): image-%:
	$(ENGINE) build $(BUILD_FLAGS) --build-arg TORCH_INDEX=$(TORCH_INDEX) --build-arg MODEL=$(MODEL) -f $(DOCKERFILE) -t spark-$*:local .

images-test: $(READY) images ## run those images as the chart does, reconstruct through them, and stop them at work
	SPARK_ENGINE="$(ENGINE)" $(BIN)/pytest -s -m images tests/images

crd-models: ## the published models of KEDA's, Prometheus' and the Gateway API's kinds, by which the chart's tests check them
	npm ci --silent --no-audit --no-fund --prefix tests/helm/crds

format: $(READY) ## format code and contracts
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format -w protos

protos: $(READY) ## generate code from the contracts
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/buf generate

bench: $(READY) ## print stage times at two presets, the gateway's own time and memory for the sample images
	$(BIN)/spark up
	$(BIN)/python -m training.bench

bench-gpu: OUT = out/gpu
bench-gpu: $(READY) ## the shape stage at full size on a GPU, against its floors and, with PARTCRAFTER=checkout, PartCrafter
	$(BIN)/python -m training.bench_gpu --out $(OUT)/figures.json $(if $(PARTCRAFTER),--partcrafter $(PARTCRAFTER))

bench-refine: OUT = out/refine
bench-refine: $(READY) ## how much refinement repairs on N test objects from SEED whose joints start wrong, into OUT
	$(BIN)/spark up
	$(BIN)/python -m training.bench_refine --count $(N) --seed $(SEED) --out $(OUT) --jobs $(JOBS)

bench-confidence: OUT = out/confidence
bench-confidence: $(READY) ## expected calibration error of refined joints on validation objects, into OUT
	$(BIN)/spark up
	$(BIN)/python -m training.bench_refine_confidence --out $(OUT) --jobs $(JOBS)

bench-kitchen: OUT = out/kitchen
bench-kitchen: $(READY) ## the same on a kitchen that others modelled, with their meshes, rendered by MuJoCo
	MUJOCO_GL=$${MUJOCO_GL:-egl} $(BIN)/python -m training.bench_kitchen --seed $(SEED) --out $(OUT)

bench-raster: $(READY) ## time the refinement renderer against PyTorch3D's, where that is installed
	$(BIN)/python -m training.bench_raster

bench-assets: OUT = out/assets
bench-assets: $(READY) ## check the assets of N test objects from SEED in simulators and open them by hand, into OUT
	$(BIN)/spark up
	$(BIN)/python -m training.bench_assets --count $(N) --seed $(SEED) --out $(OUT) --jobs $(JOBS)

bench-convex: $(READY) ## our convex collision pieces beside CoACD's on 20 validation objects
	OMP_NUM_THREADS=1 $(BIN)/python -m training.bench_convex

eval: $(READY) ## reconstruct N test objects generated from SEED through the services and score them into OUT
	$(BIN)/spark up
	$(BIN)/python -m training.evaluate --count $(N) --seed $(SEED) --out $(OUT)

eval-full: $(READY) ## the same with all ablations, and VALIDATION objects of the training distribution beside it
	$(BIN)/spark up
	$(BIN)/python -m training.evaluate --count $(N) --seed $(SEED) --out $(OUT) --ablate --validation $(VALIDATION)

eval-publish: $(READY) ## bring the report in OUT into docs/
	$(BIN)/python -m training.eval_publish --out $(OUT)

eval-outside: $(READY) ## reconstruct labelled pictures that the generator did not draw, and score joints and trees
	$(BIN)/spark up
	$(BIN)/python -m training.outside.evaluate --out out/outside

bad-input: $(READY) ## what the service makes of cats, text, noise and other pictures without an object, in out/bad-input
	$(BIN)/spark up
	$(BIN)/python -m training.bad_input --out out/bad-input

sim-scale: $(READY) ## a simulated day of the chart's autoscaling beside fixed replicas, PEAK objects an hour at noon
	$(BIN)/python -m training.sim_scale --peak $(PEAK) --hardware $(HARDWARE) --seed $(SEED)

preview: $(READY) ## a contact sheet of generated objects in out/preview.png
	$(BIN)/spark-training preview -o out/preview.png

clean: ## remove what the targets above made
	rm -rf $(VENV) $(VLLM) out .spark .mypy_cache .ruff_cache .pytest_cache .hypothesis
