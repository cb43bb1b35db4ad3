#!/bin/sh
# Runs the tests that compute with libtorch or ONNX Runtime once for each of the
# kernels that the numerical libraries may choose on other processors. A kernel
# that this processor cannot run is named and left out.
set -eu
cd "$(dirname "$0")/.."

# has FLAG… says whether the processor has all these instructions.
has() {
	for flag; do
		grep -qw "$flag" /proc/cpuinfo || return 1
	done
}

failed=
left_out=
# under NEEDS SETTING… runs the tests with the environment variables or the command
# given, if the processor has the instructions NEEDS.
under() {
	needs=$1
	shift
	# shellcheck disable=SC2086 # the list is to be split
	if ! has $needs; then
		left_out="$left_out
  $* (needs $needs)"
		return
	fi
	echo "== $*"
	env -u OPENBLAS_CORETYPE "$@" go test -count=1 ./... || failed="$failed
  $*"
}

under 'avx2' OPENBLAS_CORETYPE=HASWELL
under 'avx2' OPENBLAS_CORETYPE=ZEN
under 'avx512f avx512bw avx512dq avx512vl' OPENBLAS_CORETYPE=SKYLAKEX
under 'avx512f avx512bw avx512dq avx512vl avx512_bf16' OPENBLAS_CORETYPE=COOPERLAKE
under '' ATEN_CPU_CAPABILITY=default
under 'avx2' ATEN_CPU_CAPABILITY=avx2
under 'avx2' DNNL_MAX_CPU_ISA=AVX2
under 'avx512f avx512bw avx512dq avx512vl' DNNL_MAX_CPU_ISA=AVX512_CORE
under 'avx2' OPENBLAS_CORETYPE=HASWELL ATEN_CPU_CAPABILITY=avx2 DNNL_MAX_CPU_ISA=AVX2 # as a processor without AVX-512
under '' taskset -c 0 # one thread
under '' OMP_NUM_THREADS=2

[ -z "$left_out" ] || echo "left out, as this processor cannot run it:$left_out"
[ -z "$failed" ] || { echo "FAILED under:$failed"; exit 1; }
echo "passed under every setting"
