#!/bin/sh
# Builds the shim between Go and libtorch:
#
#     build.sh OUT.so
#
# LIBTORCH names the folder of an unpacked libtorch or of a torch wheel
# (…/site-packages/torch); without it the system's libtorch (Debian's
# libtorch-dev) is used. Nothing is done if OUT.so is newer than its sources and
# was built for the same libtorch.
set -eu

fail() {
	echo "gotorch: $*" >&2
	exit 1
}

# contents lists a folder on one line, for errors.
contents() {
	entries=$(ls -m "$1" 2>/dev/null | tr '\n' ' ' | sed 's, *$,,')
	echo "${entries:-nothing}"
}

[ $# -eq 1 ] || fail "usage: [LIBTORCH=/path] $0 OUT.so"
out=$1
src=$(cd "$(dirname "$0")" && pwd)
CXX=${CXX:-g++}
command -v "$CXX" >/dev/null || fail "no C++ compiler: $CXX is not installed"

if [ -n "${LIBTORCH:-}" ]; then
	want="want the folder of an unpacked libtorch or of a torch wheel (…/site-packages/torch)"
	[ -d "$LIBTORCH" ] || fail "LIBTORCH=$LIBTORCH is no folder; $want"
	root=$(cd "$LIBTORCH" && pwd)
	[ -e "$root/lib/libtorch.so" ] || fail "LIBTORCH=$LIBTORCH has no lib/libtorch.so; it holds: $(contents "$root"); $want"
	[ -e "$root/include/ATen/ATen.h" ] || fail "LIBTORCH=$LIBTORCH has no headers (include/ATen/ATen.h); include holds: $(contents "$root/include"); $want"
	lib=$root/lib
	includes="-isystem$root/include -isystem$root/include/torch/csrc/api/include"
else
	found=$("$CXX" -print-file-name=libtorch.so)
	[ "$found" != libtorch.so ] && [ -e /usr/include/ATen/ATen.h ] ||
		fail "the system has no libtorch with headers; install libtorch-dev or set LIBTORCH=/path"
	lib=$(cd "$(dirname "$found")" && pwd)
	includes=-isystem/usr/include/torch/csrc/api/include
fi

current() {
	for f in "$src"/* "$src"/../../internal/kernels/winograd*.h "$lib/libtorch.so"; do
		[ "$out" -nt "$f" ] || return 1
	done
	readelf -d "$out" | grep -qF "[$lib]"
}
if current; then
	exit 0
fi

# Wheels up to 2.5 were built with the C++ ABI from before GCC 5.
abi=0
if nm -DC "$lib/libc10.so" | grep -q '__cxx11::basic_string'; then
	abi=1
fi

# Nothing here refers to the CUDA libraries, but loading them registers CUDA.
cuda=
if [ -e "$lib/libtorch_cuda.so" ]; then
	cuda="-Wl,--no-as-needed -ltorch_cuda -lc10_cuda"
fi

# at::parallel_for is compiled into the shim, and is a loop on one thread without OpenMP. It
# must be the OpenMP of libtorch, which a wheel brings along: another would have threads of
# its own. The compiler adds the system's behind it, which nothing then needs.
openmp=$(readelf -d "$lib/libtorch_cpu.so" | sed -n 's/.*(NEEDED).*\[\(libgomp[^]]*\)\]$/-l:\1/p')

echo "gotorch: compiling $out against $lib"
mkdir -p "$(dirname "$out")"
part=$out.$$.part
trap 'rm -f "$part"' EXIT
# shellcheck disable=SC2086 # the lists are to be split
"$CXX" -O3 -std=c++20 -fopenmp -Wall -shared -fPIC "-D_GLIBCXX_USE_CXX11_ABI=$abi" $includes \
	-o "$part" "$src"/*.cc "-L$lib" "-Wl,-rpath,$lib" $cuda -ltorch -ltorch_cpu -lc10 \
	-Wl,--as-needed $openmp
mv "$part" "$out"
