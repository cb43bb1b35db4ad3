package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// section is a part of the document.
type section struct {
	key, title, text string
	jobs             []job
	programs         func(ctx context.Context, quick bool) ([]result, error) // what no Go benchmark measures; may be nil
	tables           []table
}

// measure returns what could be measured, also with an error.
func (s section) measure(ctx context.Context, quick bool, progress io.Writer) ([]result, error) {
	var all []result
	var failed []error
	for _, j := range s.jobs {
		results, err := j.do(ctx, quick, progress)
		all, failed = append(all, results...), append(failed, err)
	}
	if s.programs != nil {
		results, err := s.programs(ctx, quick)
		all, failed = append(all, results...), append(failed, err)
	}
	return all, errors.Join(failed...)
}

func sections() []section {
	return []section{scoring(), methods(), training(), loading(), evaluation(), serving(), programs()}
}

func scoring() section {
	return section{
		key: "scoring", title: "Scoring",
		text: `Milliseconds an image, and in how many times ONNX Runtime's forward pass of the network alone, in a file of its own.
All sides of a line take turns in one process with as many threads; medians. ours is the composed graph's forward pass
(msp). Spread is how far apart the quartiles of i-ODIN are. The last two networks are imported.

PyTorch's expert and reference are as in scripts/reference/score_speed.py; x is their time over ours.`,
		jobs: []job{
			{goBench("./ioodin", "^BenchmarkScoring$/^batch=1$", "9x"), goBench("./ioodin", "^BenchmarkScoring$/^batch=1$/^resnet18", "5x")},
			{goBench("./ioodin", "^BenchmarkScoring$/^batch=16$", "3x"), goBench("./ioodin", "^BenchmarkScoring$/^batch=16$/^resnet18_32x32$", "2x")},
		},
		tables: []table{
			{rows: "network", bench: []string{"BenchmarkScoring"}, columns: []column{
				{unit: "forward-ms", head: "forward, ms"}, {unit: "msp/forward", head: "ours"},
				{unit: "odin-ms", head: "ODIN, ms"}, {unit: "odin/forward", head: "ODIN, forwards"},
				{unit: "iodin-ms", head: "i-ODIN, ms"}, {unit: "iodin/forward", head: "i-ODIN, forwards"},
				{unit: "iodin_fast-ms", head: "first order, ms"}, {unit: "iodin_fast/forward", head: "first order, forwards"},
				{unit: "spread-%", head: "spread, %"},
			}},
			{rows: "beside PyTorch", bench: []string{"BenchmarkScoring"}, columns: []column{
				{unit: "expert-forward-ms", head: "forward, ms"}, {unit: "expert/forward", head: "x"},
				{unit: "expert-iodin-ms", head: "expert's i-ODIN, ms"}, {unit: "expert/iodin", head: "x"}, {unit: "expert-exact/iodin_fast", head: "over our first order, x"},
				{unit: "expert-iodin_fast-ms", head: "expert's first order, ms"}, {unit: "expert/iodin_fast", head: "x"},
				{unit: "reference-iodin-ms", head: "reference's i-ODIN, ms"}, {unit: "reference/iodin", head: "x"},
				{unit: "reference/iodin_fast", head: "reference's first order, x"},
			}},
		},
	}
}

func methods() section {
	return section{
		key: "methods", title: "Post-hoc methods",
		text: `What each method adds to resnet18_32x32's forward pass, on all cores, with little to learn from; and methods that
compare with a bank of 50,000 images of 512 values, 10,000 images against it: of the float32 matrix products of ONNX
Runtime, measured alone in the same run, how much of a second's they make.`,
		jobs: []job{
			{goBench("./eval", "^BenchmarkMethods$", "3x"), goBench("./eval", "^BenchmarkMethods$", "1x")},
			{goBench("./eval", "^BenchmarkBank$/^(knn|nnguide|relation)$", "3x"), goBench("./eval", "^BenchmarkBank$/^knn$", "1x")},
		},
		tables: []table{
			{rows: "method", bench: []string{"BenchmarkMethods"}, columns: []column{{unit: "ms/image", head: "ms an image"}, {unit: "forwards", head: "forwards on top"}}},
			{rows: "bank", bench: []string{"BenchmarkBank"}, columns: []column{
				{unit: "ns/op", head: "s", scale: 1e-9}, {unit: "product-s", head: "the product alone, s"}, {unit: "%-of-peak", head: "of the peak, %"}, {unit: "peak-MiB", head: "MiB at most"},
			}},
		},
	}
}

func training() section {
	return section{
		key: "training", title: "Training",
		text: `A step on random images, on two threads; PyTorch's on the same libtorch in turns with it, as in
scripts/reference/step_speed.py; x is its time over ours. Memory is what each process grows by at most, from libraries loaded
to steps made.`,
		jobs: append(stepsBesidePyTorch(),
			job{goBench("./train", "^BenchmarkStepTypes$", "3x"), goBench("./train", "^BenchmarkStepTypes$/./^width=16$", "1x")}),
		tables: []table{
			{rows: "beside PyTorch", bench: []string{"BenchmarkStepBesidePyTorch"}, columns: []column{
				{unit: "ms/step", head: "ms"}, {unit: "torch-ms/step", head: "PyTorch, ms"}, {unit: "x-torch", head: "x"}, {unit: "x-torch-cpu", head: "x, of processor time"},
				{unit: "MB", head: "MB"}, {unit: "torch-MB", head: "PyTorch, MB"},
			}},
			{rows: "step", bench: []string{"BenchmarkStepTypes"}, columns: []column{{unit: "ns/op", head: "ms", scale: 1e-6}, {unit: "images/s", head: "images/s"}}},
		},
	}
}

// stepsBesidePyTorch has a process for each line of the table, as one that has made steps of another network keeps memory.
func stepsBesidePyTorch() []job {
	var jobs []job
	for _, net := range []string{"^resnet18_32x32$/^width=16$", "^resnet18_32x32$/^width=64$", "^resnet18_224x224$/^width=64$"} {
		for _, form := range []string{"expert", "reference", "ce"} {
			args := goBench("./train", fmt.Sprintf("^BenchmarkStepBesidePyTorch$/%s/^%s$/^threads=2$", net, form), "3x")
			j := job{args, args}
			if len(jobs) >= 3 {
				j.quick = []string{}
			}
			jobs = append(jobs, j)
		}
	}
	return jobs
}

func loading() section {
	return section{
		key: "loading", title: "Loading",
		text: `Files of 400x300 pixels, decoded and resized for 224x224; in training as well cropped at random. PIL is on one core.`,
		jobs: []job{
			{args: goBench("./preprocess", "^Benchmark(DecodeJPEG400x300|CropWaterbirds400x300)$", "1s")},
			{args: goBench("./dataset", "^Benchmark(BatchesJPEG400x300|PIL400x300)$", "1s")},
		},
		tables: []table{
			{rows: "one core", bench: []string{"BenchmarkDecodeJPEG400x300", "BenchmarkCropWaterbirds400x300"}, columns: []column{{unit: "ns/op", head: "ms", scale: 1e-6}}},
			{rows: "all cores", bench: []string{"BenchmarkBatchesJPEG400x300", "BenchmarkPIL400x300"}, columns: []column{
				{unit: "images/s", head: "images/s"}, {unit: "torchvision-images/s", head: "torchvision, images/s"}, {unit: "PIL-images/s", head: "PIL, images/s"}, {unit: "cpu-ms/image", head: "ms of a processor an image"},
			}},
		},
	}
}

func evaluation() section {
	return section{
		key: "evaluation", title: "Evaluation, from file to score",
		text: `JPEG files to scores on all cores. Decoding and the network are also timed alone, in turns with both: the bound is what
both would take if no core ever waited; overlap is the slower one's time over that of both, which cannot be more than
what the bound allows.`,
		jobs: []job{
			{goBench("./eval", "^BenchmarkOverlap$", "5x"), goBench("./eval", "^BenchmarkOverlap$", "2x")},
			{goBench("./eval", "^BenchmarkImages$", "1s", "-cpu", "2"), []string{}},
		},
		tables: []table{
			{rows: "in turns", bench: []string{"BenchmarkOverlap"}, columns: []column{
				{unit: "decode-images/s", head: "decoding alone, images/s"}, {unit: "network-images/s", head: "network alone, images/s"}, {unit: "images/s", head: "both, images/s"},
				{unit: "overlap", head: "overlap"}, {unit: "allowed", head: "the bound allows"},
			}},
			{rows: "beside PyTorch", bench: []string{"BenchmarkImages"}, columns: []column{{unit: "images/s", head: "images/s"}, {unit: "torch-images/s", head: "PyTorch, images/s"}, {unit: "x-torch", head: "x"}}},
		},
	}
}

func serving() section {
	return section{
		key: "server", title: "Server",
		text: `ascood-serve over the loopback interface, in a process of its own, beside bare loops over the same model, a ResNet-18 of
6 channels at 224x224 pixels, with photographs of 640x480; then with four times the load that it can carry.`,
		jobs: []job{
			{[]string{"run", "./scripts/benchserve", "--duration=4s"}, []string{"run", "./scripts/benchserve", "--duration=1s"}},
		},
		tables: []table{
			{rows: "", bench: []string{"BenchmarkBare", "BenchmarkServer"}, columns: []column{
				{unit: "images/s", head: "images/s"}, {unit: "p50-ms", head: "p50, ms"}, {unit: "p99-ms", head: "p99, ms"}, {unit: "rejected", head: "rejected"}, {unit: "late", head: "late"}, {unit: "peak-MiB", head: "MiB at most"},
			}},
		},
	}
}

func programs() section {
	return section{
		key: "programs", title: "Programs",
		text:     `With an artifact of resnet18_224x224; medians of processes that start anew.`,
		programs: measurePrograms,
		tables: []table{
			{rows: "start-up", bench: []string{"Start"}, columns: []column{{unit: "ms", head: "ms"}}},
			{rows: "memory", bench: []string{"Memory"}, columns: []column{{unit: "peak-MiB", head: "MiB at most"}, {unit: "beyond-MiB", head: "beyond the model's file, MiB"}}},
			{rows: "size", bench: []string{"Size"}, columns: []column{{unit: "MiB", head: "MiB"}}},
		},
	}
}
