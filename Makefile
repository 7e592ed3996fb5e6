# Paybell. One Makefile, never recursive.
#
#   make            the programs, in build/release/bin
#   make test       the whole suite under ASan + UBSan (installs what is missing)
#   make lint fuzz bench crash demo deps help
#
# Variants live side by side: SAN=address (what `make test` uses), SAN=thread, SAN=fuzz; O= names another folder.

SAN     ?= $(if $(filter test unit-tests integration-tests,$(MAKECMDGOALS)),address,release)
O       ?= build/$(SAN)
CC       = gcc
AR       = gcc-ar
VERSION := 0.1.0

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wformat=2 -Wundef -Wpointer-arith -Wwrite-strings -Wno-unused-parameter
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS_address := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
CFLAGS_thread  := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
CFLAGS_fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
ifeq ($(SAN),fuzz)
CC := clang
AR := ar
endif

CPPFLAGS += -D_GNU_SOURCE -DPAYBELL_VERSION='"$(VERSION)"' -Ilib -Iservices -I$(O)/gen
CFLAGS   += -std=c17 $(WARN) $(CFLAGS_$(SAN)) -pthread
LDFLAGS  += $(CFLAGS_$(SAN)) $(LDFLAGS_$(SAN)) -pthread -Wl,--as-needed
LDLIBS    = -lmicrohttpd -lhiredis -lcurl -ljansson -lsqlite3 -luv -ljwt -lcrypto -lm

# One short line a step; V=1 shows the commands.
Q   := $(if $(V),,@)
say  = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),@:,@printf '  %-3s %s\n' $(1) $(2))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
# `make test` and the demo use all cores by themselves.
MAKEFLAGS += --no-builtin-rules $(if $(filter test demo,$(MAKECMDGOALS)),-j$(shell nproc))

# ---- what Debian 12 has to bring -----------------------------------------------------------------------------------

PACKAGES := gcc libc6-dev make pkgconf libmicrohttpd-dev libhiredis-dev libcurl4-openssl-dev libjansson-dev \
	libsqlite3-dev libuv1-dev libjwt-dev libssl-dev check redis-tools redis-server python3 python3-pytest

# The tests in a browser skip themselves, and say so, where these cannot be had.
BROWSER_PACKAGES := chromium $(if $(shell command -v npm),,nodejs npm)

# Does nothing when all are there; asks for new package lists only when the old ones do not do.
define install_missing
set --; for p in $1; do \
		[ "$$(dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || set -- "$$@" $$p; \
	done; \
	[ $$# -gt 0 ] || exit 0; \
	echo "installing: $$*"; \
	[ "$$(id -u)" = 0 ] && sudo= || sudo=sudo; \
	install() { $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=400 -qq -y \
		--no-install-recommends install "$$@"; }; \
	install "$$@" 2>/dev/null || { $$sudo apt-get -o DPkg::Lock::Timeout=400 -qq update && install "$$@"; }
endef

deps:
	@$(call install_missing,$(PACKAGES))

browser-deps: | deps
	@($(call install_missing,$(BROWSER_PACKAGES))) || \
		echo "not to be had: $(BROWSER_PACKAGES); the tests that need them are skipped"

# These goals begin on a bare machine: nothing is compiled before the packages are there.
DEPS_FIRST := $(if $(filter test demo lint,$(MAKECMDGOALS)),deps)

# ---- the library: one archive, from which each program takes only what it names ------------------------------------

FLOORS   := base wire io store app worker
LIB_SRC  := $(sort $(foreach f,$(FLOORS),$(wildcard lib/$f/*.c)))
LIB      := $(O)/libpaybell.a
LIB_OBJ  := $(LIB_SRC:%.c=$(O)/%.o)
SCHEMA   := $(sort $(wildcard schema/*.sql))

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

# ---- the programs ----------------------------------------------------------------------------------------------

PROGRAMS := paybell-backend paybell-push paybell-email paybell-sms paybell-gateway paybell-sandbox paybell
paybell-backend_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard services/backend/*.c))
paybell-push_OBJ    := $(patsubst %.c,$(O)/%.o,$(wildcard services/push/*.c))
paybell-email_OBJ   := $(patsubst %.c,$(O)/%.o,$(wildcard services/email/*.c))
paybell-sms_OBJ     := $(patsubst %.c,$(O)/%.o,$(wildcard services/sms/*.c))
paybell-gateway_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard services/gateway/*.c))
paybell-sandbox_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard services/sandbox/*.c))
paybell_OBJ         := $(patsubst %.c,$(O)/%.o,$(wildcard services/cli/*.c))
BIN      := $(PROGRAMS:%=$(O)/bin/%)

all: $(BIN)

define program
$(O)/bin/$1: $$($1_OBJ) $(LIB)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$($1_OBJ) $(LIB) $$(LDLIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$p)))

$(O)/%.o: %.c | $(DEPS_FIRST)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The schema is compiled in: one C array a file, in order.
$(O)/lib/store/store.o: $(O)/gen/schema.inc
$(O)/gen/schema.inc: $(SCHEMA) Makefile
	@mkdir -p $(@D)
	@for f in $(SCHEMA); do \
		echo "{\"$${f##*/}\", (const char[]){"; od -An -v -tx1 $$f | sed 's/ \(..\)/0x\1,/g'; echo "0}},"; \
	done > $@

# The sandbox's page, too.
$(O)/services/sandbox/control.o: $(O)/gen/inbox.inc
$(O)/gen/inbox.inc: services/sandbox/inbox.html
	@mkdir -p $(@D)
	@od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g' > $@

-include $(LIB_OBJ:.o=.d) $(foreach p,$(PROGRAMS),$($p_OBJ:.o=.d))

# The sandbox's parts as an archive, for the tests that call them.
SANDBOX := $(O)/libsandbox.a
$(SANDBOX): $(filter-out %/main.o,$(paybell-sandbox_OBJ))
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

# ---- conformance: servers of the gateway's own code for outside suites, in build/tests/conformance-… -----------------------

GATEWAY     := $(filter-out %/main.o,$(paybell-gateway_OBJ))
CONFORMANCE := $(patsubst tests/conformance/%.c,build/tests/conformance-%,$(wildcard tests/conformance/*.c))
$(CONFORMANCE): build/tests/conformance-%: $(O)/tests/conformance/%.o $(O)/tests/conformance/lib/conformance.o $(GATEWAY) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
conformance: $(CONFORMANCE) | deps
.PHONY: conformance

# The backend's, too.
BACKEND := $(O)/libbackend.a
$(BACKEND): $(filter-out %/main.o,$(paybell-backend_OBJ))
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

# And the gateway's.
GATEWAY_LIB := $(O)/libgateway.a
$(GATEWAY_LIB): $(GATEWAY)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

# ---- unit tests: one program, check(3) ---------------------------------------------------------------------------

UNIT_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard tests/unit/*.c))
TRANSPORTS := $(filter-out %/main.o,$(paybell-push_OBJ) $(paybell-email_OBJ) $(paybell-sms_OBJ))
CLI := $(filter-out %/main.o,$(paybell_OBJ))
$(O)/tests/unit-tests: $(UNIT_OBJ) $(TRANSPORTS) $(CLI) $(BACKEND) $(GATEWAY_LIB) $(SANDBOX) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(UNIT_OBJ) $(TRANSPORTS) $(CLI) $(BACKEND) $(GATEWAY_LIB) $(SANDBOX) $(LIB) $(shell pkg-config --libs check) $(LDLIBS)
-include $(UNIT_OBJ:.o=.d)

unit-tests: $(O)/tests/unit-tests
	$(O)/tests/unit-tests

# ---- load: the load program, on lib/base alone -------------------------------------------------------------------

LOAD_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard tests/bench/load*.c lib/base/*.c))
$(O)/tests/load: $(LOAD_OBJ)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(LOAD_OBJ) -lm
-include $(LOAD_OBJ:.o=.d)

# ---- make bench: ratios against baselines of the same run; PARTS="payments latency" runs some ----------------------------

BARE_OBJ := $(O)/tests/bench/bare_ledger.o
$(O)/tests/bare-ledger: $(BARE_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(BARE_OBJ) $(LIB) $(LDLIBS)
-include $(BARE_OBJ:.o=.d)

DRAIN_OBJ := $(O)/tests/bench/bare_drain.o
$(O)/tests/bare-drain: $(DRAIN_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(DRAIN_OBJ) $(LIB) -lcurl
-include $(DRAIN_OBJ:.o=.d)

bench: $(BIN) $(O)/tests/load $(O)/tests/bare-ledger $(O)/tests/bare-drain | deps
	PAYBELL_BIN=$(abspath $(O))/bin /usr/bin/python3 tests/bench/bench.py $(PARTS)
.PHONY: bench

# ---- make bench-gateway CONNECTIONS=10000: broadcast, memory and latency of the gateway; above 15,000 with many processes ------

CONNECTIONS ?= 10000
CROWD       := $(O)/libcrowd.a
CROWD_OBJ   := $(patsubst %.c,$(O)/%.o,$(wildcard tests/crowd/*.c))
$(CROWD): $(CROWD_OBJ)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^
-include $(CROWD_OBJ:.o=.d)

LISTENERS     := $(O)/tests/listeners
LISTENERS_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard tests/bench/listeners*.c))
$(LISTENERS): $(LISTENERS_OBJ) $(CROWD) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
-include $(LISTENERS_OBJ:.o=.d)

BARE_SEND := $(O)/tests/bare-send
$(BARE_SEND): $(O)/tests/bench/bare_send.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
-include $(O)/tests/bench/bare_send.d

# build/tests has the one of whatever variant was made last; memory is measured of this one.
IDLE := $(O)/tests/conformance-ws
$(IDLE): $(O)/tests/conformance/ws.o $(O)/tests/conformance/lib/conformance.o $(GATEWAY) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Hostile clients: make bench-gateway PARTS=hostile
HOSTILE := $(O)/tests/hostile
$(HOSTILE): $(patsubst %.c,$(O)/%.o,$(wildcard tests/bench/hostile*.c)) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^
-include $(patsubst %.c,$(O)/%.d,$(wildcard tests/bench/hostile*.c))

bench-gateway: $(BIN) $(O)/tests/load $(LISTENERS) $(BARE_SEND) $(IDLE) $(HOSTILE) $(O)/tests/returning | deps
	PAYBELL_BIN=$(abspath $(O))/bin /usr/bin/python3 $(if $(filter hostile,$(PARTS)),tests/bench/hostile.py,tests/bench/gateway.py $(CONNECTIONS))
.PHONY: bench-gateway

# ---- a disk that fails on demand, for LD_PRELOAD; without the sanitizers, whose place it would take ------------------

FAULTS := $(O)/tests/storage-faults.so
$(FAULTS): tests/faults/storage_faults.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) -std=c17 $(WARN) -O1 -g -fPIC -shared -pthread -o $@ $<

# ---- make crash: everything is killed and Redis wiped under load, then it is counted; some four minutes -----------------
# KILLS= RATE= SEED= and so on, see tests/crash/crash.py --help; the sanitizers' builds bear less of a load.

RATE       ?= $(if $(filter release,$(SAN)),1250,250)
CRASH_ARGS  = --rate $(RATE) $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(if $(WIPES),--wipes $(WIPES)) \
	$(if $(STORM_SECONDS),--seconds $(STORM_SECONDS))

crash: $(BIN) $(O)/tests/load | deps
	PAYBELL_BIN=$(abspath $(O))/bin /usr/bin/python3 tests/crash/crash.py $(CRASH_ARGS)
.PHONY: crash

# ---- make crash-gateway: clients that are dropped again and again, over two gateways, while Redis is wiped; then it is counted ---
# CLIENTS= of each gateway, DROPS= of each client, SEED=, see tests/crash/gateways.py --help.

RETURNING := $(O)/tests/returning
$(RETURNING): $(O)/tests/crash/returning.o $(O)/tests/crash/told.o $(CROWD) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
-include $(O)/tests/crash/returning.d $(O)/tests/crash/told.d

RETURNING_ARGS = $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(DROPS),--drops $(DROPS)) $(if $(SEED),--seed $(SEED))

crash-gateway: $(BIN) $(O)/tests/load $(RETURNING) | deps
	PAYBELL_BIN=$(abspath $(O))/bin /usr/bin/python3 tests/crash/gateways.py $(RETURNING_ARGS)
.PHONY: crash-gateway

# ---- the whole suite ----------------------------------------------------------------------------------------------

integration-tests: $(BIN) $(O)/tests/load $(RETURNING) $(FAULTS) $(CONFORMANCE) $(LISTENERS) $(BARE_SEND) $(HOSTILE)
	/usr/bin/python3 tests/run.py --build $(O) --integration

test: $(BIN) $(O)/tests/unit-tests $(O)/tests/load $(RETURNING) $(FAULTS) $(CONFORMANCE) $(LISTENERS) $(BARE_SEND) $(HOSTILE) | deps browser-deps
	/usr/bin/python3 tests/run.py --build $(O) --unit --integration

# ---- fuzzing: one libFuzzer program a tests/fuzz/fuzz_*.c, seeded from schema/examples/<the same name> -----------------------
# make fuzz SECONDS=30 shares the time among all of them, at least a second each; what crashes one is kept in $(O)/fuzz.

SECONDS  ?= 30
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZERS  := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=$(O)/fuzz/%)
FUZZ_EACH = $(shell each=$$(($(SECONDS) / $(words $(FUZZERS)))); echo $$((each > 0 ? each : 1)))

fuzz:
	$(MAKE) SAN=fuzz fuzz-run

$(FUZZERS): $(O)/fuzz/%: $(O)/tests/fuzz/fuzz_%.o $(SANDBOX) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(SANDBOX) $(LIB) $(LDLIBS)

fuzz-run: $(FUZZERS)
	@set -e; seeds=$$(mktemp -d); trap 'rm -rf "$$seeds"' EXIT; \
	for fuzzer in $(FUZZERS); do \
		name=$${fuzzer##*/}; mkdir "$$seeds/$$name"; \
		if [ -d schema/examples/$$name ]; then cp schema/examples/$$name/* "$$seeds/$$name"; fi; \
		if ! $$fuzzer -max_total_time=$(FUZZ_EACH) -timeout=5 -rss_limit_mb=1024 -artifact_prefix=$(O)/fuzz/$$name- \
			"$$seeds/$$name" >$$fuzzer.log 2>&1; then \
			tail -40 $$fuzzer.log; echo "fuzz: $$name FAILED; the whole log is $$fuzzer.log"; exit 1; \
		fi; \
		echo "fuzz: $$name $$(grep -E '^Done ' $$fuzzer.log)"; \
	done
-include $(FUZZ_SRC:%.c=$(O)/%.d)
.PHONY: fuzz fuzz-run

# ---- end of fuzzing ----------------------------------------------------------------------------------------------

# ---- the API's description: JSON, which is YAML too, compiled in as it stands ----------------------------------------

$(O)/services/backend/openapi.o: $(O)/gen/openapi.inc
$(O)/gen/openapi.inc: schema/openapi.yaml
	@mkdir -p $(@D)
	@od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g' > $@

# ---- demo: everything in a folder of its own, one payment, until Ctrl-C; ONCE=1 ends after the payment ------------------

demo: $(BIN) | deps
	@deploy/demo --bin $(O)/bin $(if $(filter-out 0,$(ONCE)),--once)
.PHONY: demo

# ---- lint: what a command can check of the house style; see docs/contributing.md --------------------------------------
# The checks read the objects and ask the programs, so both are built first. What clang-tidy found clean is remembered.

LINT_PACKAGES := clang-format clang-tidy binutils systemd python3-yaml
ifneq ($(filter lint,$(MAKECMDGOALS)),)
PACKAGES += $(LINT_PACKAGES)
endif

lint: $(BIN) | deps
	/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/lint/test_lint.py
	/usr/bin/python3 tests/lint/run.py --build $(O)
.PHONY: lint

# ---- install: make install DESTDIR=… PREFIX=/usr ----------------------------------------------------------------------

PREFIX   ?= /usr
SHARE     = $(DESTDIR)$(PREFIX)/share
SYSTEMD   = $(DESTDIR)$(PREFIX)/lib

install: $(BIN)
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/paybell/schema $(SHARE)/paybell/pages $(SHARE)/doc/paybell $(SYSTEMD)/systemd/system \
		$(SYSTEMD)/sysusers.d $(SYSTEMD)/tmpfiles.d
	install -s -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/bin
	cd templates && find . -type f -exec install -D -m 0644 {} $(abspath $(SHARE))/paybell/templates/{} \;
	install -m 0644 deploy/pages/* $(SHARE)/paybell/pages
	install -m 0644 schema/*.sql schema/*.json schema/openapi.yaml $(SHARE)/paybell/schema
	for unit in deploy/systemd/*.service deploy/systemd/*.target; do \
		sed 's,/usr/,$(PREFIX)/,' $$unit > $(SYSTEMD)/systemd/system/$${unit##*/}; \
	done
	install -m 0644 deploy/systemd/sysusers.conf $(SYSTEMD)/sysusers.d/paybell.conf
	install -m 0644 deploy/systemd/tmpfiles.conf $(SYSTEMD)/tmpfiles.d/paybell.conf
	install -m 0644 README.md LICENSE docs/*.md deploy/config/paybell.env $(SHARE)/doc/paybell
.PHONY: install

clean:
	rm -rf build

.PHONY: all clean deps browser-deps unit-tests integration-tests test
