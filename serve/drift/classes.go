package drift

import (
	"math"
	"time"

	"gonum.org/v1/gonum/mathext"
)

// classTest compares the classes of images with those of the calibration, both counted,
// by the chi-squared test of homogeneity: the classes of images like the calibration's
// come as often. It is nil if there is nothing to compare with.
func (w *Watch) classTest(images []int, now time.Time) *Test {
	m, n := sum(images), sum(w.classes)
	if m == 0 || n == 0 {
		return nil
	}
	t := &Test{Images: m, Distance: totalVariation(images, w.classes), Significance: homogeneity(images, w.classes), At: now}
	t.Alarm = t.Significance < w.config.Level
	return t
}

// totalVariation is half the sum of the differences of shares: the share of images that
// would have to have another class.
func totalVariation(a, b []int) float64 {
	m, n := float64(sum(a)), float64(sum(b))
	d := 0.0
	for i := range a {
		d += math.Abs(float64(a[i])/m - float64(b[i])/n)
	}
	return d / 2
}

// fewest is how many images a class must be expected to have in each sample for the
// statistic to be distributed as its limit is (Cochran 1954). Rarer ones are taken together.
const fewest = 5

// homogeneity is the probability that two samples of one distribution, counted by class,
// differ as much, by Pearson's statistic: 1 if all classes but one are too rare to tell.
func homogeneity(a, b []int) float64 {
	m, n := float64(sum(a)), float64(sum(b))
	share := min(m, n) / (m + n) // of the images of a class that are in the smaller sample
	statistic, bins := 0.0, 0
	add := func(x, y float64) {
		difference := x*math.Sqrt(n/m) - y*math.Sqrt(m/n)
		statistic += difference * difference / (x + y)
		bins++
	}
	var rareA, rareB float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		if share*(x+y) < fewest {
			rareA, rareB = rareA+x, rareB+y
			continue
		}
		add(x, y)
	}
	if share*(rareA+rareB) >= fewest {
		add(rareA, rareB)
	}
	if bins < 2 {
		return 1
	}
	return mathext.GammaIncRegComp(float64(bins-1)/2, statistic/2)
}

func sum(counts []int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}
