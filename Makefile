.PHONY: help up down watch test torture bench scale build reproducible sbom deploy rollback probe status restore generate check scan

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

CLOUD := sh infra/local/prerequisites.sh && python3 infra/local/cloud.py
TOOLS := .local/tools
SAM := SAM_CLI_TELEMETRY=0 $(TOOLS)/sam/bin/sam
DENY := $(TOOLS)/cargo-deny/bin/cargo-deny
CHECKED := .local/checked
# The tests that have a long form.
SUITES := canary faults histories kills model operations permissions schemathesis
MINUTES ?= 5

up: ## Start the local cloud, deploy to it and seed it
	@$(CLOUD) up

down: ## Stop the local cloud and keep its data; PURGE=1 forgets the data too
	@python3 infra/local/cloud.py down $(if $(PURGE),--purge)

watch: ## Hot reload of the functions behind the local cloud's API
	@$(CLOUD) watch

test: ## Every test, end to end included, on a local cloud of its own; ARGS go to cargo test
	@$(CLOUD) test $(ARGS)

torture: ## Every suite of docs/assurance.md at length, MINUTES each (default: 5), and its table; takes hours
	rm -rf target/assurance
	@# Exported: a variable before a list of commands is that of the first command only.
	export LATCHKEY_MINUTES=$(MINUTES); $(CLOUD) test -p contract -p end-to-end $(addprefix --test ,$(SUITES))
	@# A fifth of the time for each target: there are many.
	LATCHKEY_MINUTES=$(MINUTES) sh infra/local/fuzz.sh $$(($(MINUTES) * 12))
	cargo run --quiet --locked --package assurance

bench: ## How fast, small and cheap it is; ARGS are parts and --strict
	@$(CLOUD) bench $(ARGS)

scale: ## What reading costs with 100,000 tokens and 1,000,000 audit records, into docs/benchmarks.md
	LATCHKEY_SCALE=100000 cargo test --locked -p contract --test pages

build: ## Build the functions for arm64 as they are deployed, or one: FUNCTION=authorize
	@$(CLOUD) tools cargo-lambda
	@# The messages of panics have the paths of libraries. Without the user's own path, every machine builds the same.
	PATH="$(abspath $(TOOLS))/cargo-lambda/bin:$$PATH" cargo lambda build --release --arm64 --locked \
		--config 'build.rustflags=["--remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo"]' \
		$(if $(FUNCTION),--bin $(FUNCTION))

reproducible: ## Build a function twice, in two places, and fail if the two differ; FUNCTION=authorize
	@$(CLOUD) tools cargo-lambda
	@sh infra/local/reproducible.sh $(abspath $(TOOLS)) $(or $(FUNCTION),authorize)

sbom: ## List what each deployed program is made of (CycloneDX), in target/sbom
	@$(CLOUD) tools cargo-cyclonedx
	@sh infra/local/sbom.sh $(abspath $(TOOLS))/cargo-cyclonedx/bin/cargo-cyclonedx

deploy: build
deploy: ## Build for arm64 and deploy to AWS; ARGS go to sam deploy
	@$(CLOUD) tools sam
	$(TOOLS)/sam/bin/python infra/rollout.py deploy $(ARGS)

rollback: ## Put every function on AWS back to its version before, or one: FUNCTION=authorize; ARGS name another stack
	@$(CLOUD) tools sam
	@$(TOOLS)/sam/bin/python infra/rollout.py rollback $(FUNCTION) $(ARGS)

probe: ## Lead a token through its life on AWS, as the schedule does; ARGS name another stack
	@$(CLOUD) tools sam
	@$(TOOLS)/sam/bin/python infra/rollout.py probe $(ARGS)

status: ## Which version of each function on AWS is called; ARGS name another stack
	@$(CLOUD) tools sam
	@$(TOOLS)/sam/bin/python infra/rollout.py status $(ARGS)

restore: ## Restore a stack's tables to a point in time for a new stack (docs/restoring.md); ARGS say what
	@$(CLOUD) tools sam
	@$(TOOLS)/sam/bin/python infra/restore.py $(ARGS)

generate: ## Write what programs write: template, tables, API description, snapshots; read the difference
	cargo xtask generate
	LATCHKEY_UPDATE=1 INSTA_UPDATE=always cargo test -p latchkey -p contract

check: ## Formatting, lints, documentation, dependencies, template; the last line says whether advisories were checked
	@$(CLOUD) tools sam cargo-deny
	cargo fmt --all --check
	cargo run --quiet --locked --package xtask -- generate --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
	$(DENY) check --hide-inclusion-graph bans licenses sources
	@# A finding fails the check, here and in CI. A database that can't be reached is only reported.
	@if $(DENY) fetch db; \
	then $(DENY) check advisories && echo "Checked: all, advisories among it." >$(CHECKED); \
	else echo "Checked: all but advisories. NOT CHECKED: the advisory database cannot be reached." >$(CHECKED); fi
	$(SAM) validate --lint --language-extensions --region us-east-1 --template infra/template.yaml
	$(SAM) validate --lint --region us-east-1 --template examples/protected-api/template.yaml
	$(SAM) validate --lint --region us-east-1 --template examples/protected-api/rest-api.yaml
	$(TOOLS)/sam/bin/python infra/local/expand.py --count infra/template.yaml
	@cat $(CHECKED)

scan: ## Lint the templates down to advice, and let Checkov find what is insecure in them
	@$(CLOUD) tools sam checkov
	$(TOOLS)/sam/bin/cfn-lint --include-checks I --regions us-east-1 -- \
		infra/template.yaml examples/protected-api/template.yaml examples/protected-api/rest-api.yaml
	$(TOOLS)/sam/bin/python infra/local/scan.py
