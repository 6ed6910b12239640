# The fault plan (tests/faults). FAULTS=F3,F7 runs these rows, FAULTS_SCALE=0.1 a tenth of the counts. A whole
# run writes docs/figures.md.

FAULTS ?=
FAULTS_SCALE ?= 1
faults_run = FAULTS="$(FAULTS)" FAULTS_MODULE=$(CURDIR)/build/pam_mfa_chain.so $(CARGO) test --locked --test faults

.PHONY: faults test-faults guessers

faults: build
	@tools/require test
	@tests/faults/require
	FAULTS_SCALE=$(FAULTS_SCALE) FAULTS_FIGURES=$(if $(filter 1,$(FAULTS_SCALE)),$(CURDIR)/docs/figures.md) $(faults_run)

# A part of it, for make test: every row, and every wrong variant that a row must notice.
test-faults: build
	@tests/faults/require
	FAULTS_SCALE=0.1 FAULTS_FIGURES= $(faults_run)

# Guessers with plans of their own against the true counts, for years: what odds prints has to hold. make test plays a few.
guessers:
	GUESSERS=$(or $(GUESSERS),500) GUESSER_YEARS=$(or $(GUESSER_YEARS),3) $(CARGO) test --locked --release --test guessers -- --nocapture
