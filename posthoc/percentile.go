package posthoc

import (
	"math"

	"github.com/ascood/ascood"
)

// percentile returns the q-th percentile of the values, between order statistics
// linearly, as NumPy does. It takes no memory, of which the values may fill much.
func percentile(values []float32, q float64) float64 {
	position := q / 100 * float64(len(values)-1)
	below := int(position)
	low := float64(orderStatistic(values, below))
	if below+1 == len(values) {
		return low
	}
	return low + (float64(orderStatistic(values, below+1))-low)*(position-float64(below))
}

// orderStatistic returns the value that is k-th, from 0, in rising order. It
// counts by the upper half of the values' ordered bits, then by the lower.
func orderStatistic(values []float32, k int) float32 {
	counts := make([]int, 1<<16)
	for _, v := range values {
		counts[ordered(v)>>16]++
	}
	upper, k := locate(counts, k)
	clear(counts)
	for _, v := range values {
		if o := ordered(v); o>>16 == upper {
			counts[o&0xffff]++
		}
	}
	lower, _ := locate(counts, k)
	return unordered(upper<<16 | lower)
}

// locate returns the bin of the k-th element, and its rank in there.
func locate(counts []int, k int) (uint32, int) {
	bin := 0
	for ; k >= counts[bin]; bin++ {
		k -= counts[bin]
	}
	return uint32(bin), k
}

// ordered maps floats to integers of the same order.
func ordered(v float32) uint32 {
	bits := math.Float32bits(v)
	if bits>>31 == 1 {
		return ^bits
	}
	return bits | 1<<31
}

func unordered(o uint32) float32 {
	if o>>31 == 1 {
		return math.Float32frombits(o &^ (1 << 31))
	}
	return math.Float32frombits(^o)
}

func checkPercentile(q float64) error {
	if !(q >= 0 && q <= 100) {
		return ascood.Errorf(ascood.Invalid, "percentile %v: must be from 0 to 100", q)
	}
	return nil
}
