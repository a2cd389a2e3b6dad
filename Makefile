MAKEFLAGS += --no-builtin-rules

# Knobs
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
CFLAGS  ?= -O2 -g

VERSION := 0.1.0
WARNINGS := -Wall -Wextra -Wconversion -Wno-override-init -Werror
ifneq ($(findstring clang,$(shell $(CC) --version)),)
WARNINGS := -Wall -Wextra -Wconversion -Wno-initializer-overrides -Wno-pass-failed -Werror
endif
FLAGS := -std=c11 -fopenmp-simd -D_GNU_SOURCE -I. -DXENT_VERSION='"$(VERSION)"' -pthread -MMD -MP $(WARNINGS)
LIBS  := -lcjson -lpng -lz -lm

SOURCE_FOLDERS := $(wildcard core losses data)
SOURCES := $(shell find $(SOURCE_FOLDERS) -name '*.c' ! -name kernels_isa.c | LC_ALL=C sort)
CLI_SOURCES := $(wildcard cli/*.c)
TEST_SOURCES := $(wildcard tests/test_*.c)
FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)

# One source, an object for each instruction set the machine family has.
ISA_baseline := -DKERNEL_VECTOR_BYTES=16
ISA_avx2     := -DKERNEL_VECTOR_BYTES=32 -mavx2 -mfma
ISA_avx512   := -DKERNEL_VECTOR_BYTES=64 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
ifneq ($(findstring x86_64,$(shell $(CC) -dumpmachine)),)
ISAS := baseline avx2 avx512
else
ISAS := baseline
endif

OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) $(ISAS:%=$(BUILD)/core/kernels/kernels_%.o) $(BUILD)/registry.o
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(BUILD)/%.o)
TESTS := $(TEST_SOURCES:%.c=$(BUILD)/%)
FUZZERS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/fuzz/%)

.PHONY: all asan bench check clean cross-arm64 dist exhaustive fuzz help install lint tsan uninstall unit valgrind
.DELETE_ON_ERROR:

all: $(BUILD)/xent $(BUILD)/pages ## build the program, and the pages and completions that it prints

# Pages and completion scripts come from the tables in the program.
$(BUILD)/pages: $(BUILD)/xent
	@rm -rf $(BUILD)/man $(BUILD)/completions
	@mkdir -p $(BUILD)/man $(BUILD)/completions
	@for page in $$($(BUILD)/xent help --pages); do $(BUILD)/xent help --page $$page > $(BUILD)/man/$$page || exit 1; done
	@$(BUILD)/xent help --completion bash > $(BUILD)/completions/xent
	@$(BUILD)/xent help --completion zsh > $(BUILD)/completions/_xent
	@touch $@

$(BUILD)/xent: $(CLI_OBJECTS) $(OBJECTS)
	$(CC) $(FLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# Loops over rows (losses/rows.h) are vectorised where their pragmas say so.
$(BUILD)/losses/%.o: ROW_FLAGS := -ffp-contract=fast -fno-math-errno -fno-trapping-math
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CFLAGS) $(ROW_FLAGS) -c -o $@ $<

$(ISAS:%=$(BUILD)/core/kernels/kernels_%.o): $(BUILD)/core/kernels/kernels_%.o: core/kernels/kernels_isa.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CFLAGS) -O3 -ffp-contract=fast -fno-math-errno -DKERNEL_ISA=$* $(ISA_$*) -c -o $@ $<

$(BUILD)/registry.c: scripts/generate-registry.sh $(SOURCES)
	@mkdir -p $(@D)
	sh scripts/generate-registry.sh $(SOURCE_FOLDERS) > $@

$(BUILD)/registry.o: $(BUILD)/registry.c
	$(CC) $(FLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/tests/%: tests/%.c $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(OBJECTS) $(LIBS) -lcmocka

# Preloaded by tests/faults.bats.
$(BUILD)/tests/fault.so: tests/fault.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -O1 -shared -fPIC -o $@ $< -ldl

# Everything but the kernels is built anew for the fuzz targets with the fuzzer's instrumentation.
FUZZ_OBJECTS := $(SOURCES:%.c=$(BUILD)/fuzz/objects/%.o) $(BUILD)/fuzz/objects/registry.o \
	$(ISAS:%=$(BUILD)/core/kernels/kernels_%.o)
FUZZ_FLAGS := -std=c11 -fopenmp-simd -D_GNU_SOURCE -I. -DXENT_VERSION='"$(VERSION)"' -pthread -MMD -MP \
	-Wno-initializer-overrides -g -O1 -fsanitize=address,undefined \
	-fno-sanitize-recover=all

$(BUILD)/fuzz/objects/%.o: %.c
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(BUILD)/fuzz/objects/registry.o: $(BUILD)/registry.c
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_OBJECTS)
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_OBJECTS) $(LIBS)

# The same targets without a fuzzer: seeds and mutations of them, part of check.
REPLAYS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/replay/%)

$(BUILD)/replay/%: tests/fuzz/%.c tests/fuzz/replay.c $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< tests/fuzz/replay.c $(OBJECTS) $(LIBS)

check: all $(TESTS) $(REPLAYS) $(BUILD)/tests/fault.so ## all tests
	sh scripts/run-tests.sh $(BUILD)

asan: ## all tests with the address and undefined-behaviour sanitizers
	$(MAKE) BUILD=$(BUILD)/asan CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -Wno-format-truncation' check

tsan: ## the unit tests with the thread sanitizer
	$(MAKE) BUILD=$(BUILD)/tsan CFLAGS='-O1 -g -fsanitize=thread' unit

valgrind: all $(TESTS) ## unit tests and a small training run under valgrind (minutes)
	sh scripts/valgrind.sh $(BUILD)

unit: $(TESTS) ## the unit tests alone
	for test in $(TESTS); do echo "$$test"; $$test > $$test.log 2>&1 || { cat $$test.log; exit 1; }; done
exhaustive: $(BUILD)/tests/exhaustive_exp ## exp of every float (minutes)
	$<

fuzz: $(FUZZERS) ## a short run of every fuzz target
	for target in $(FUZZERS); do \
		seeds=tests/fuzz/corpus/$${target##*/fuzz_}; \
		found=$(BUILD)/fuzz/found/$${target##*/}; \
		mkdir -p $$found; [ -d $$seeds ] || seeds=; \
		$$target -runs=20000 -max_len=4096 -verbosity=0 -artifact_prefix=$$found/ $$found $$seeds || exit 1; done

bench: all ## xent beside OpenBLAS, XNNPACK and PyTorch, into BENCHMARKS.md
	sh scripts/bench/run.sh -b $(BUILD)

cross-arm64: ## build for arm64 with Debian's cross compiler and run the unit tests under qemu (scripts/cross-arm64.sh)
	sh scripts/cross-arm64.sh

lint: ## layering of includes, size of files
	sh scripts/lint.sh

BASH_COMPLETION := $(DESTDIR)$(PREFIX)/share/bash-completion/completions/xent
ZSH_COMPLETION  := $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_xent

install: all ## install program, pages and completions under DESTDIR/PREFIX
	install -D -m 755 $(BUILD)/xent $(DESTDIR)$(PREFIX)/bin/xent
	for page in man/*.[157] $(BUILD)/man/*.[157]; do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; done
	install -D -m 644 $(BUILD)/completions/xent $(BASH_COMPLETION)
	install -D -m 644 $(BUILD)/completions/_xent $(ZSH_COMPLETION)

uninstall: all ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/xent $(BASH_COMPLETION) $(ZSH_COMPLETION)
	for page in man/*.[157] $(BUILD)/man/*.[157]; do \
		rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done

dist: ## a source archive of the committed tree
	@mkdir -p $(BUILD)
	git archive --prefix=xent-$(VERSION)/ -o $(BUILD)/xent-$(VERSION).tar.gz HEAD

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1: /p' Makefile

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
