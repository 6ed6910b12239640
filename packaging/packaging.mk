# Included by the Makefile: install, packages and their tests. `make packaging-help` lists the targets.

# Where `make install` puts things. PAMDIR is the folder that has the distribution's own modules.
PREFIX ?= /usr/local
triplet := $(shell cc -print-multiarch 2>/dev/null)
PAMDIR ?= $(patsubst %/pam_permit.so,%,$(firstword $(wildcard $(foreach folder,\
	$(if $(triplet),/usr/lib/$(triplet)) /usr/lib64 /usr/lib /lib,$(folder)/security/pam_permit.so)) /usr/lib64/security/pam_permit.so))
SYSCONFDIR ?= /etc
STATEDIR ?= /var/lib
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/mfa-chain
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
DESTDIR ?=

version := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n1)
package := $(abspath $(target))/package
packages := $(abspath build)/packages
# deb and rpm are built in the same place, so that the second finds the binaries of the first.
source := $(package)/source/mfa-chain-$(version)

# Two builds give the same bytes: no path of the machine reaches the objects, and the time is that of the changelog.
# The last prefix that fits is taken.
cargo_home := $(or $(CARGO_HOME),$(HOME)/.cargo)
# rustc writes some paths as it was given them and some with links followed, so both forms are named.
remap := $(CURDIR)=/usr/src/mfa-chain $(foreach path,$(sort $(abspath $(target)) $(realpath $(target))),$(path)=/usr/src/target) \
	$(foreach path,$(sort $(cargo_home) $(realpath $(cargo_home))),$(path)=/usr/src/cargo)
reproducible = RUSTFLAGS="$(strip $(RUSTFLAGS) $(addprefix --remap-path-prefix=,$(remap)))"
SOURCE_DATE_EPOCH ?= $(shell date -d "$$(sed -n 's/^ -- .*>  //p' packaging/debian/changelog | head -n1)" +%s)
export SOURCE_DATE_EPOCH

# dh(1) gives the build a home of its own; cargo and rustup keep theirs. Packages are built without the network.
package_environment = CARGO_HOME="$(cargo_home)" RUSTUP_HOME="$${RUSTUP_HOME:-$$HOME/.rustup}" CARGO_NET_OFFLINE=true \
	CARGO_TARGET_DIR="$(abspath $(target))" SOURCE_DATE_EPOCH="$(SOURCE_DATE_EPOCH)"

.PHONY: packaging-help install uninstall sbom deb rpm lint-deb lint-rpm integrations dist dist-check reproducible deny \
	test-install test-packages

packaging-help:
	@sed -n 's/^#: //p' packaging/packaging.mk

#: install          what `make build` made; DESTDIR PREFIX PAMDIR SYSCONFDIR STATEDIR MANDIR ZSHDIR may be set
install:
	@packaging/install build '$(DESTDIR)' bin='$(PREFIX)/bin' pam='$(PAMDIR)' etc='$(SYSCONFDIR)/mfa-chain' \
		state='$(STATEDIR)/mfa-chain' man='$(MANDIR)' doc='$(DOCDIR)' bash='$(BASHDIR)' zsh='$(ZSHDIR)' fish='$(FISHDIR)'

#: uninstall        with the same settings; keeps the policy and the enrollments, and refuses while a stack names the module
uninstall:
	@packaging/install --remove '$(DESTDIR)' bin='$(PREFIX)/bin' pam='$(PAMDIR)' etc='$(SYSCONFDIR)/mfa-chain' \
		state='$(STATEDIR)/mfa-chain' man='$(MANDIR)' doc='$(DOCDIR)' bash='$(BASHDIR)' zsh='$(ZSHDIR)' fish='$(FISHDIR)'

#: sbom             build/mfa-chain.cdx.json and build/third-party-notices.txt: the crates in the two binaries
sbom:
	@mkdir -p build
	@python3 tools/sbom --bill build/mfa-chain.cdx.json --notices build/third-party-notices.txt

#: deb              build/packages/*.deb
deb:
	@tools/require deb
	$(CARGO) fetch --locked
	@rm -rf $(packages)/*.deb $(packages)/*.buildinfo $(packages)/*.changes
	$(call build_deb,$(source),$(packages),true)

# $(call build_deb,TREE,TO,EDIT): EDIT is run in TREE before it is built.
define build_deb
	umask 022; tools/source-tree $(1)
	cp -R $(1)/packaging/debian $(1)/debian
	umask 022; cd $(1) && $(3) && $(package_environment) dpkg-buildpackage -b -uc -us -d
	@mkdir -p $(2)
	mv $(1)/../mfa-chain*_*.deb $(1)/../mfa-chain_*.buildinfo $(1)/../mfa-chain_*.changes $(2)
endef

#: lint-deb         asks lintian about it
lint-deb:
	@tools/require lint_deb
	lintian --allow-root --pedantic --fail-on error,warning,info,pedantic $(packages)/*.changes

#: rpm              build/packages/*.rpm
rpm:
	@tools/require rpm
	$(CARGO) fetch --locked
	@rm -rf $(packages)/*.rpm
	umask 022; tools/source-tree $(source)
	umask 022; $(package_environment) rpmbuild -bb --nodeps --define '_topdir $(package)/rpm' --define '_builddir $(package)/source' \
		--define '_libdir /usr/lib64' --define '_rpmdir $(packages)' --define '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
		--define 'upstream_version $(version)' packaging/mfa-chain.spec

#: lint-rpm         asks rpmlint about it
lint-rpm:
	@tools/require lint_rpm
	rpmlint --strict --config packaging/rpmlint.toml $(packages)/*.rpm

#: integrations     compiles and checks the SELinux module, the AppArmor abstraction, the fail2ban and logcheck rules
integrations: build
	@tools/require integrations
	packaging/tests/integrations $(package)/integrations

#: dist             build/mfa-chain-VERSION.tar.gz: the source with every crate, which builds without the network
dist:
	@rm -rf $(package)/dist && mkdir -p build
	umask 022; tools/source-tree $(package)/dist/mfa-chain-$(version)
	umask 022; cd $(package)/dist/mfa-chain-$(version) && $(CARGO) vendor --locked --versioned-dirs >/dev/null && \
		mkdir -p .cargo && printf '[source.crates-io]\nreplace-with = "vendor"\n[source.vendor]\ndirectory = "vendor"\n' > .cargo/config.toml
	cd $(package)/dist && tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH) \
		--format=gnu -cf - mfa-chain-$(version) | gzip -9n > $(abspath build)/mfa-chain-$(version).tar.gz

#: dist-check       builds the tarball without network and with an empty cargo home (root)
dist-check: dist
	rm -rf $(package)/dist-check && mkdir -p $(package)/dist-check/home
	tar -xzf build/mfa-chain-$(version).tar.gz -C $(package)/dist-check
	cd $(package)/dist-check/mfa-chain-$(version) && env -u CARGO_TARGET_DIR -u SOURCE_DATE_EPOCH -u MAKEFLAGS \
		CARGO_HOME=$(package)/dist-check/home unshare -n make build
	@echo "dist-check: built without the network"

#: reproducible     builds both packages twice in different folders and compares every byte
reproducible:
	@tools/require deb
	@tools/require rpm
	packaging/tests/reproducible $(package)/reproducible

# $(call deny,MANIFEST,RULES): cargo-deny also reads the crates of other systems, which no build here has fetched.
deny = $(CARGO) fetch --quiet --locked --manifest-path $(1) && \
	$(tools_folder)/bin/cargo-deny --offline --manifest-path $(1) --config $(2) check licenses bans sources
#: deny             licences, duplicates and sources of the crates, the fuzz targets' too; installs cargo-deny once
deny:
	@$(call install_tool,cargo-deny)
	@$(call deny,Cargo.toml,deny.toml)
	@$(call deny,fuzz/Cargo.toml,fuzz/deny.toml)
	@$(call deny,examples/web/Cargo.toml,examples/web/deny.toml)

#: test-install     `make install` and `uninstall` into an empty folder
test-install: build
	packaging/tests/install $(package)/install

#: test-packages    packages in clean roots: install, log in, upgrade, remove, purge (root, some minutes)
test-packages:
	@tools/require test_packages
	$(MAKE) --no-print-directory test-install integrations deb lint-deb rpm lint-rpm
	@test -d $(package)/previous/deb || $(MAKE) --no-print-directory previous-deb
	packaging/tests/run $(package)/test $(packages) $(package)/previous/deb

# This tree under a lower version, to upgrade from.
.PHONY: previous-deb
previous-deb:
	rm -rf $(package)/previous
	$(call build_deb,$(package)/previous/mfa-chain-0.0.9,$(package)/previous/deb,\
		sed -i '/^name = "mfa-chain"/{n;s/^version = ".*"/version = "0.0.9"/}' Cargo.toml Cargo.lock && sed -i '1s/(.*)/(0.0.9-1)/' debian/changelog)
