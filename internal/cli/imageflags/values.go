package imageflags

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// channels is a flag's value: a number for each of R, G and B.
type channels struct{ values *[3]float64 }

func (c *channels) Set(text string) error {
	wrong := errors.New("want three numbers with commas between, such as .485,.456,.406")
	words := strings.Split(text, ",")
	if len(words) != len(c.values) {
		return wrong
	}
	for i, word := range words {
		v, err := strconv.ParseFloat(strings.TrimSpace(word), 64)
		if err != nil {
			return wrong
		}
		c.values[i] = v
	}
	return nil
}

// String is empty before the flag is given, so that the help shows no default.
func (c *channels) String() string {
	if c.values == nil || *c.values == [3]float64{} {
		return ""
	}
	return fmt.Sprintf("%g,%g,%g", c.values[0], c.values[1], c.values[2])
}

func (c *channels) Type() string { return "numbers" }
