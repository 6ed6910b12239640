# The fault plan (tests/faults). FAULTS=F3,F7 runs these rows, FAULTS_SCALE=0.1 a tenth of the counts. A whole
# run writes docs/figures.md.

FAULTS ?=
FAULTS_SCALE ?= 1
faults_run = FAULTS="$(FAULTS)" FAULTS_MODULE=$(CURDIR)/build/pam_mfa_chain.so $(CARGO) test --locked --test faults

.PHONY: faults test-faults

faults: build
	@tools/require test
	@tests/faults/require
	FAULTS_SCALE=$(FAULTS_SCALE) FAULTS_FIGURES=$(if $(filter 1,$(FAULTS_SCALE)),$(CURDIR)/docs/figures.md) $(faults_run)

# A part of it, for make test: every row, and every wrong variant that a row must notice.
test-faults: build
	@tests/faults/require
	FAULTS_SCALE=0.1 FAULTS_FIGURES= $(faults_run)
