package eval

import (
	"testing"
	"time"

	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/posthoc"
)

// BenchmarkMethods is what each post-hoc method adds to scoring images of 32x32 pixels by msp
// with resnet18_32x32, in ms an image and in times that; the two take turns. Methods have
// learnt from few images: BenchmarkBank has many.
func BenchmarkMethods(b *testing.B) {
	const images = 16
	d := openJPEGs(b, 32, 32, images)
	n := randomNetwork(b, "resnet18_32x32", "cifar10")
	learnt := randomData(b, n)
	msp := newMethod(b, "msp")
	for _, name := range posthoc.Names() {
		m := Entry{name, testmodel.Method(b, name)}
		if testmodel.HeadOf(m.Method) != "" {
			continue // of networks of another head
		}
		if err := posthoc.Fit(m.Method, learnt); err != nil {
			b.Fatalf("%s: %v", name, err)
		}
		b.Run(name, func(b *testing.B) {
			sides := []Entry{msp, m}
			for _, side := range sides { // opens the graphs
				scoreOnce(b, n, d, side)
			}
			var times [2][]float64
			for b.Loop() {
				for i, side := range sides {
					start := time.Now()
					scoreOnce(b, n, d, side)
					times[i] = append(times[i], time.Since(start).Seconds())
				}
			}
			forward, added := median(times[0]), median(times[1])-median(times[0])
			b.ReportMetric(0, "ns/op") // both sides together say nothing
			b.ReportMetric(1e3*added/images, "ms/image")
			b.ReportMetric(added/forward, "forwards")
		})
	}
}

func scoreOnce(b *testing.B, n *Network, d dataset.Dataset, m Entry) {
	if _, err := n.Score(b.Context(), d, []Entry{m}, ScanOptions{}); err != nil {
		b.Fatal(err)
	}
}
