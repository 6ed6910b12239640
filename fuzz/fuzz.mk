# Fuzzing and coverage. FUZZ_SECONDS=600 for longer, FUZZ="policy login" for these targets alone, FUZZ_SANITIZER=none
# for more executions without AddressSanitizer.

FUZZ ?=
FUZZ_SECONDS ?= 60
FUZZ_SANITIZER ?= address

.PHONY: fuzz coverage

# The sanitizers are unstable flags of rustc, which RUSTC_BOOTSTRAP opens on a stable one.
fuzz:
	@tools/require fuzz
	@$(call install_tool,cargo-fuzz)
	RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$(abspath $(target))/fuzz $(tools_folder)/bin/cargo-fuzz build --fuzz-dir fuzz \
		--sanitizer $(FUZZ_SANITIZER)
	@fuzz/run $(abspath $(target))/fuzz $(FUZZ_SECONDS) $(FUZZ)

# Lines of the engine and the store that these tests pass through, in their own process or in the command.
coverage_tests := chain_properties clock command command_check draws engine file_store fuzzed_input model otp_vectors \
	recovery_codes rehearsal shipped_conf sources this_host untrusted_files untrusted_folders
coverage:
	@tools/require test
	@$(call install_tool,cargo-tarpaulin)
	$(tools_folder)/bin/cargo-tarpaulin tarpaulin --locked --engine llvm --follow-exec --skip-clean --timeout 600 --out Stdout \
		--target-dir $(abspath $(target))/coverage --include-files 'src/verifier/*' --include-files 'src/store/*' --fail-under 95 \
		--lib $(addprefix --test ,$(coverage_tests))
