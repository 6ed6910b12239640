# make demo and make test do all the set-up themselves; see README.md.

CARGO ?= cargo
STRIP ?= strip
target := $(or $(CARGO_TARGET_DIR),target)
# The module is built alone, without the command's crates; the sections of debug lines stay out of it.
module_build = $(reproducible) $(CARGO) rustc --locked --release --lib --no-default-features --crate-type cdylib
command_build = $(reproducible) $(CARGO) build --locked --release --bin mfa-chain

tools_folder := $(abspath $(target))/tools
# $(call install_tool,CRATE): into the target folder, once.
install_tool = test -x $(tools_folder)/bin/$(1) || { echo "installing $(1) into $(target)/tools (some minutes, once)"; \
	CARGO_TARGET_DIR=$(tools_folder)/build $(CARGO) install $(1) --locked --root $(tools_folder); }

.PHONY: all build demo test test-rust test-e2e other-shapes lint fmt clean

all: build

build:
	@tools/require build
	$(module_build)
	@mkdir -p build
	@install -m 644 $(target)/release/libpam_mfa_chain.so build/pam_mfa_chain.so
	@$(STRIP) --strip-unneeded build/pam_mfa_chain.so
	$(command_build)
	@install -m 755 $(target)/release/mfa-chain build/mfa-chain
	@$(STRIP) build/mfa-chain

demo: build
	@build/mfa-chain demo

test:
	@tools/require test
	$(MAKE) --no-print-directory build
	$(MAKE) --no-print-directory test-rust
	$(MAKE) --no-print-directory test-e2e
	$(MAKE) --no-print-directory test-faults

test-rust:
	$(CARGO) test --locked

test-e2e:
	tests/e2e/run

# On 32 bits and on a big-endian machine; fetches compilers once. Not a part of make test.
other-shapes:
	@tools/require other_shapes
	tests/other_shapes/run $(abspath $(target))/other-shapes

lint:
	@tools/require lint
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --test faults -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features -- -D warnings
	tools/check-manual
	tools/check-release
	tools/check-links
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --quiet
	@$(MAKE) --no-print-directory deny

fmt:
	$(CARGO) fmt
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml

clean:
	rm -rf build $(target)

include packaging/packaging.mk
include tests/faults/faults.mk
include fuzz/fuzz.mk
include benches/bench.mk
