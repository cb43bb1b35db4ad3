package posthoc

import (
	"fmt"
	"testing"
)

// BenchmarkBank scores 10,000 images against 50,000 training images with
// features of 512 values and 100 classes, a thousand at a time. MiB/op is what is
// allocated beside the features, all told; little of it is held at one time.
func BenchmarkBank(b *testing.B) {
	const train, images, dim, classes, together = 50_000, 10_000, 512, 100, 1000
	d := &Data{
		Weight: randomMatrix(classes, dim), Bias: make([]float32, classes),
		Train: &Set{Batch: Batch{Logits: randomMatrix(train, classes), Feature: randomMatrix(train, dim)}, Labels: make([]int, train)},
	}
	for i := range d.Train.Labels {
		d.Train.Labels[i] = i % classes
	}
	some := &Batch{Logits: randomMatrix(together, classes), Feature: randomMatrix(together, dim)}
	for _, name := range []string{"knn", "nnguide", "relation", "mds", "rmds", "vim"} {
		b.Run(fmt.Sprintf("%s/fit", name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fit(b, name, d)
			}
		})
		b.Run(fmt.Sprintf("%s/score", name), func(b *testing.B) {
			m := fit(b, name, d)
			b.ReportAllocs()
			for b.Loop() {
				for range images / together {
					if _, err := m.Score(some); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func fit(b *testing.B, name string, d *Data) Method {
	m, err := New(name)
	if err == nil {
		err = Fit(m, d)
	}
	if err != nil {
		b.Fatal(err)
	}
	return m
}
