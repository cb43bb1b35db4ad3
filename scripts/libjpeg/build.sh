#!/bin/sh
# build.sh libjpeg-turbo_2.1.5.orig.tar.gz
#
# Writes internal/libjpeg/libjpeg.wasm anew from the source of libjpeg-turbo that Debian
# 12 has (apt-get source libjpeg-turbo), which is what its PIL decodes with. Needs
# Debian's packages clang, lld, wasi-libc and libclang-rt-14-dev-wasm32.
set -eu

source=$(realpath "${1:?the archive of the source}")
digest=254f3642b04e309fee775123133c6464181addc150499561020312ec61c1bf7c
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

echo "$digest  $source" | sha256sum --quiet --check
tar -xzf "$source" -C "$work" --strip-components=1

cd "$work"
clang --target=wasm32-wasi -mexec-model=reactor -msimd128 -O3 -DNO_GETENV -include errno.h -w \
    -ffunction-sections -fdata-sections -Wl,--gc-sections,--strip-all,-z,stack-size=65536,--max-memory=1073741824 \
    -I"$here" -I. -o libjpeg.wasm "$here/decoder.c" \
    jaricom.c jcomapi.c jdapimin.c jdapistd.c jdarith.c jdcoefct.c jdcolor.c jddctmgr.c jdhuff.c jdinput.c jdmainct.c \
    jdmarker.c jdmaster.c jdmerge.c jdphuff.c jdpostct.c jdsample.c jidctflt.c jidctfst.c jidctint.c jidctred.c \
    jmemmgr.c jmemnobs.c jquant1.c jquant2.c "$here/simd.c" jutils.c
install -m 644 libjpeg.wasm "$here/../../internal/libjpeg/"
