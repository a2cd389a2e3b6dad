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
WARNINGS := -Wall -Wextra -Wconversion -Wno-initializer-overrides -Werror
endif
FLAGS := -std=c11 -D_GNU_SOURCE -I. -DXENT_VERSION='"$(VERSION)"' -pthread -MMD -MP $(WARNINGS)
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

.PHONY: all check unit lint asan exhaustive fuzz install uninstall dist clean help
.DELETE_ON_ERROR:

all: $(BUILD)/xent ## build the program

$(BUILD)/xent: $(CLI_OBJECTS) $(OBJECTS)
	$(CC) $(FLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CFLAGS) -c -o $@ $<

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

# What the fuzz targets read with, built for them anew with the fuzzer's instrumentation.
FUZZED := $(filter core/base/% data/%,$(SOURCES))
FUZZ_OBJECTS := $(FUZZED:%.c=$(BUILD)/fuzz/objects/%.o) $(BUILD)/fuzz/objects/registry.o
FUZZ_FLAGS := -std=c11 -D_GNU_SOURCE -I. -MMD -MP -Wno-initializer-overrides -g -O1 -fsanitize=address,undefined \
	-fno-sanitize-recover=all

$(BUILD)/fuzz/objects/%.o: %.c
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

# The components that are fuzzed, and no others.
$(BUILD)/fuzz/objects/registry.c: scripts/generate-registry.sh $(FUZZED)
	@mkdir -p $(@D)
	sh scripts/generate-registry.sh $(FUZZED) > $@

$(BUILD)/fuzz/objects/registry.o: $(BUILD)/fuzz/objects/registry.c
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_OBJECTS)
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_OBJECTS) $(LIBS)

check: all $(TESTS) ## all tests
	sh scripts/run-tests.sh $(BUILD)

asan: ## all tests with the address and undefined-behaviour sanitizers
	$(MAKE) BUILD=$(BUILD)/asan CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -Wno-format-truncation' check

exhaustive: $(BUILD)/tests/exhaustive_exp ## exp of every float (minutes)
	$<

fuzz: $(FUZZERS) ## a short run of every fuzz target
	for target in $(FUZZERS); do \
		seeds=tests/fuzz/corpus/$${target##*/fuzz_}; \
		found=$(BUILD)/fuzz/found/$${target##*/}; \
		mkdir -p $$found; [ -d $$seeds ] || seeds=; \
		$$target -runs=20000 -max_len=4096 -verbosity=0 -artifact_prefix=$$found/ $$found $$seeds || exit 1; done

lint: ## layering of includes, size of files
	sh scripts/lint.sh

install: all ## install program and pages under DESTDIR/PREFIX
	install -D -m 755 $(BUILD)/xent $(DESTDIR)$(PREFIX)/bin/xent
	for page in man/*.1; do install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man1/$$(basename $$page); done

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/xent
	for page in man/*.1; do rm -f $(DESTDIR)$(PREFIX)/share/man/man1/$$(basename $$page); done

dist: ## a source archive of the committed tree
	@mkdir -p $(BUILD)
	git archive --prefix=xent-$(VERSION)/ -o $(BUILD)/xent-$(VERSION).tar.gz HEAD

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' Makefile

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
