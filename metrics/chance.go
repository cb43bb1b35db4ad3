package metrics

import "math"

// AtChance reports whether so many correct predictions of n labelled images are hardly
// more than guesses among the classes would give: less than twice as many, or, where
// that is much, less than 15% of what guesses leave. Of fewer than 10 images nothing can
// be said.
func AtChance(correct, n, classes int) bool {
	const few = 10
	if n < few {
		return false
	}
	chance := 1 / float64(classes)
	return float64(correct) <= float64(n)*math.Min(2*chance, chance+0.15*(1-chance))
}
