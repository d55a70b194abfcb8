# make demo   the main job on a small generated cohort
# make test   every check and test
PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo report test lint unit workflow e2e browser slow slurm fuzz models model-brain model-tumour clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

.venv/ready: pyproject.toml envs/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c envs/constraints.txt -e '.[test]'
	@touch $@

setup: .venv/ready ## install everything into .venv (done by itself)

demo: .venv/ready ## generate a cohort, run it through everything, make report.html
	$(BIN)/snakemake --cores $(CORES) --workflow-profile profiles/demo
	$(BIN)/snakemake --workflow-profile profiles/demo --report report.html
	@echo
	@echo "Open results/demo/index.html, which leads to the page of each session;"
	@echo "report.html tells which step made what."

test: lint unit workflow e2e browser ## every check, and every test that is not slow

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint

unit: .venv/ready
	$(BIN)/pytest -n $(CORES) -m 'not slow' tests/unit gliaflow

workflow: .venv/ready
	$(BIN)/pytest -n $(CORES) tests/workflow

e2e: .venv/ready
	$(BIN)/pytest -n $(CORES) --dist loadfile -m 'not slow' tests/e2e

browser: .venv/ready ## the pages in a real browser (Debian's chromium)
	$(BIN)/pytest -rs tests/browser

slow: .venv/ready ## the tests that make test leaves out, such as trainings from end to end
	$(BIN)/pytest -n $(CORES) --dist loadfile -m slow tests/unit tests/e2e

fuzz: .venv/ready ## the tests of bad input with ten times as many cases (for the night)
	$(BIN)/pytest -n $(CORES) --hypothesis-profile nightly tests/unit/test_fuzz_*.py

slurm: .venv/ready ## tests on a real one-node Slurm (root; Debian's slurm-wlm, slurmdbd, munge, mariadb-server)
	$(BIN)/pytest -rs -s tests/slurm

COHORT_brain := whole_heads training/cohorts/heads --subjects 120 --seed 11
COHORT_tumour := labelled training/cohorts/tumours --subjects 440 --seed 21 --cohort tumours --sites 12 --healthy 0.12 --non-enhancing 0.3 --randomised 0.15 --severity 0.6

models: model-brain model-tumour ## train the default models anew, from nothing, on generated cohorts (hours; docs/models.md)
	mkdir -p resources/models
	cp training/gliaflowbrain/gliaflowbrain.zip training/gliaflowtumour/gliaflowtumour.zip resources/models
	@echo "Enter what follows as sha256 into config/models.yaml:"
	@sha256sum resources/models/*.zip

# each by itself; make -j2 models trains them side by side, hence --nolock
model-brain model-tumour: model-%: .venv/ready
	$(BIN)/python -m gliaflow.simulate.$(COHORT_$*) --jobs $(CORES)
	$(BIN)/snakemake --nolock --cores $(CORES) --configfile config/recipes/$*.yaml -- train

clean: ## remove the demonstration and the environment, and nothing else
	rm -rf .venv demo results/demo logs/*/demo logs/simulate benchmarks/*/demo benchmarks/simulate report.html
