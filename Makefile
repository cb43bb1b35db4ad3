# What there is to do; `make` alone prints it.

# Tests and benchmarks run outside bin/, beside which programs look for lib/.
ONNXRUNTIME_LIB ?= $(CURDIR)/lib/libonnxruntime.so.1
override ONNXRUNTIME_LIB := $(abspath $(ONNXRUNTIME_LIB))
# Waiting threads of OpenMP and OpenBLAS are to sleep, so that others get the cores.
with-runtime := ONNXRUNTIME_LIB=$(ONNXRUNTIME_LIB) GOMP_SPINCOUNT=1000 OPENBLAS_THREAD_TIMEOUT=4

.PHONY: help setup setup-cuda build test test-kernels test-zoo test-page mutate lint bench bench-zoo bench-serve reference demo study serve generate libjpeg notices clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

setup: ## install what is missing: Debian packages, ONNX Runtime, MNIST digits, the libtorch shim
	@scripts/setup.sh

setup-cuda: ## fetch ONNX Runtime's CUDA provider (180 MB, x86_64; CUDA=12 for NVIDIA drivers before 580)
	@scripts/setup.sh cuda

build: setup ## put the programs into bin/
	go build -tags grpcnotrace -o bin/ ./cmd/...

test: setup ## run all tests, with the race detector
	$(with-runtime) go test -race ./...

test-kernels: setup ## run all tests once for each kernel that the numerical libraries may choose
	$(with-runtime) scripts/test-kernels.sh

mutate: setup ## break each formula once, and list those that their packages' tests do not notice
	$(with-runtime) go run ./scripts/mutate

lint: setup ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

test-zoo: setup ## import torchvision's families at all opsets, for any number of images and for one (needs Debian's python3-torch, python3-torchvision)
	@folder=$$(mktemp -d); trap 'rm -r "$$folder"' EXIT; nice /usr/bin/python3 -B scripts/reference/onnx_files.py "$$folder" && \
	$(with-runtime) TORCHVISION_FILES="$$folder/importer/testdata/torchvision" go test -run '^TestTorchvision$$' -v ./importer

test-page: setup ## the server's page in a browser (needs Debian's chromium; PAGE_SCREENSHOTS=/folder keeps pictures)
	$(with-runtime) go test -tags browser -run '^Test(Browser|Looks)$$' ./serve

bench: build ## measure speed, memory and sizes, beside PyTorch where python3-torch is present, and write BENCHMARKS.md (15 to 35 minutes; ARGS=--quick or --only=SECTION)
	$(with-runtime) go run ./scripts/bench $(ARGS)

bench-zoo: setup ## what gradient and i-ODIN cost of torchvision's networks, in forward passes (needs Debian's python3-torch, python3-torchvision)
	@folder=$$(mktemp -d); trap 'rm -r "$$folder"' EXIT; nice /usr/bin/python3 -B scripts/reference/zoo.py "$$folder" && \
	$(with-runtime) ASCOOD_ZOO="$$folder" go test -run '^$$' -bench '^Benchmark(Zoo|Import)$$' -benchtime 11x ./export

bench-serve: build ## the server of your model under load and overload, beside bare loops over it (ARGS=--help lists settings)
	$(with-runtime) go run ./scripts/benchserve $(ARGS)

reference: ## make the tests' reference data again and compare (needs Debian's python3-torch and others: scripts/reference)
	@folder=$$(mktemp -d); nice /usr/bin/python3 -B scripts/reference/generate.py "$$folder"; status=$$?; rm -r "$$folder"; exit $$status

demo: build ## train, export, serve and ask: from images to two verdicts
	@scripts/demo/run.sh

study: build ## compare training methods in three settings made of clothes, as docs/study.md has it (34 minutes of processor time)
	@scripts/setup.sh study
	go run ./scripts/clothes data/clothes
	bin/ascood-study plans/clothes.json --jobs 2

serve: build ## serve what the demo made
	@test -e demo/model.onnx || { echo "demo/model.onnx is missing: run make demo first"; exit 1; }
	bin/ascood-serve --model demo/model.onnx

generate: ## write onnx/onnx.pb.go and serve/inference/*.pb.go anew (needs protoc: apt-get install protobuf-compiler)
	go build -o bin/ google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
	go generate ./onnx ./serve/inference

libjpeg: ## write internal/libjpeg/libjpeg.wasm anew, of SOURCE=the archive (scripts/libjpeg/build.sh)
	scripts/libjpeg/build.sh $(SOURCE)

notices: ## write THIRD_PARTY_NOTICES.md anew, of the modules that the programs link
	go run ./scripts/notices >THIRD_PARTY_NOTICES.md.part
	mv THIRD_PARTY_NOTICES.md.part THIRD_PARTY_NOTICES.md

clean: ## remove what was built, not what was fetched
	rm -rf bin demo lib/libgotorch.so
