package eval

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ascood/ascood/dataset"
)

// BenchmarkOverlap compares the way from files to scores with decoding alone and with the
// network alone, in turns: overlap is the slower one's time over that of both, and allowed
// what it would be if no core ever waited, by the processor's time that the two take.
func BenchmarkOverlap(b *testing.B) {
	for _, net := range fromFiles {
		d := openJPEGs(b, net.width, net.height, net.images)
		n := randomNetwork(b, net.arch, net.preset)
		for _, name := range []string{"msp", "iodin"} {
			b.Run(fmt.Sprintf("%s/%s", net.arch, name), func(b *testing.B) {
				methods := []Entry{newMethod(b, name)}
				sides := []func() error{
					func() error { return load(b, n, d, nil) },
					overLoaded(b, n, d, plan(methods)),
					func() error {
						_, err := n.Score(b.Context(), d, methods, ScanOptions{})
						return err
					},
				}
				wall, processor := make([][]float64, len(sides)), make([][]float64, len(sides))
				for b.Loop() {
					for i, side := range sides {
						start, before := time.Now(), processorTime(b)
						if err := side(); err != nil {
							b.Fatal(err)
						}
						wall[i] = append(wall[i], time.Since(start).Seconds())
						processor[i] = append(processor[i], (processorTime(b) - before).Seconds())
					}
				}
				decode, network, both := median(wall[0]), median(wall[1]), median(wall[2])
				bound := (median(processor[0]) + median(processor[1])) / float64(runtime.GOMAXPROCS(0))
				images := float64(net.images)
				b.ReportMetric(0, "ns/op") // all sides together say nothing
				b.ReportMetric(images/decode, "decode-images/s")
				b.ReportMetric(images/network, "network-images/s")
				b.ReportMetric(images/both, "images/s")
				b.ReportMetric(max(decode, network)/both, "overlap")
				b.ReportMetric(min(1, max(decode, network)/bound), "allowed")
			})
		}
	}
}

// load decodes a dataset as a scan does, and hands each batch to take if that is not nil.
func load(b *testing.B, n *Network, d dataset.Dataset, take func(dataset.Batch)) error {
	order := make([]int, d.Len())
	for i := range order {
		order[i] = i
	}
	for batch, err := range dataset.Batches(b.Context(), d, order, dataset.LoadOptions{Config: n.meta.Preprocess, BatchSize: n.batchSize()}) {
		if err != nil {
			return err
		}
		if take != nil {
			take(batch)
		}
	}
	return nil
}

// overLoaded takes batches through the network that are decoded before.
func overLoaded(b *testing.B, n *Network, d dataset.Dataset, runs []run) func() error {
	var batches []dataset.Batch
	err := load(b, n, d, func(batch dataset.Batch) {
		batch.Pixels = slices.Clone(batch.Pixels)
		batches = append(batches, batch)
	})
	if err != nil {
		b.Fatal(err)
	}
	return func() error {
		for _, batch := range batches {
			if _, err := n.evaluate(b.Context(), d, batch, runs); err != nil {
				return err
			}
		}
		return nil
	}
}

// processorTime is what all the process's threads have taken.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
