# make demo and make test do all the set-up themselves; see README.md.

CARGO ?= cargo
STRIP ?= strip
target := $(or $(CARGO_TARGET_DIR),target)
# The module is built without the command's crates, and without the sections of debug lines.
module_build = $(reproducible) $(CARGO) rustc --locked --release --lib --no-default-features --features pam --crate-type cdylib
command_build = $(reproducible) $(CARGO) build --locked --release --bin mfa-chain

tools_folder := $(abspath $(target))/tools
# $(call install_tool,CRATE): into the target folder, once.
install_tool = test -x $(tools_folder)/bin/$(1) || { echo "installing $(1) into $(target)/tools (some minutes, once)"; \
	CARGO_TARGET_DIR=$(tools_folder)/build $(CARGO) install $(1) --locked --root $(tools_folder); }

.PHONY: all build demo test test-rust test-e2e test-callers other-shapes lint fmt clean

all: build

build:
	@tools/require build
	$(module_build)
	@mkdir -p build
	@install -m 644 $(target)/release/libmfa_chain.so build/pam_mfa_chain.so
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
	$(MAKE) --no-print-directory test-web
	$(MAKE) --no-print-directory test-faults

test-rust:
	$(CARGO) test --locked

test-e2e:
	tests/e2e/run

# The servers that ask PAM in ways of their own: openvpn, dovecot, saslauthd, vsftpd. Their packages start them.
test-callers: build
	@tools/require test_callers
	tests/e2e/run --callers

# On 32 bits and on a big-endian machine; fetches compilers once. Not a part of make test.
other-shapes:
	@tools/require other_shapes
	tests/other_shapes/run $(abspath $(target))/other-shapes

lint:
	@tools/require lint
	$(CARGO) fmt --all --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) fmt --check --manifest-path examples/web/Cargo.toml
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --test faults -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features --features pam -- -D warnings
	CARGO_TARGET_DIR=$(abspath $(target))/web $(CARGO) clippy --locked --all-targets --manifest-path examples/web/Cargo.toml -- -D warnings
	tools/check-manual
	tools/check-release
	tools/check-links
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --quiet
	@$(MAKE) --no-print-directory deny

fmt:
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml
	$(CARGO) fmt --manifest-path examples/web/Cargo.toml

clean:
	rm -rf build $(target)

include packaging/packaging.mk
include tests/faults/faults.mk
include tests/variants/variants.mk
include examples/web/web.mk
include fuzz/fuzz.mk
include benches/bench.mk
