package models

import "math"

// Init is the distribution that training draws a parameter from.
type Init struct {
	Distribution Distribution
	Scale        float64
}

// Distribution says what Init.Scale is.
type Distribution int

const (
	Constant Distribution = iota // Scale itself
	Uniform                      // between -Scale and Scale
	Normal                       // around 0 with the standard deviation Scale
)

// byFanIn is PyTorch's default for convolutions and linear layers, weights and biases
// alike: uniform within ±1/√fan_in, Kaiming's rule for a leaky slope of √5.
func byFanIn(fanIn, _ int) Init { return Init{Uniform, 1 / math.Sqrt(float64(fanIn))} }

// byFanOut is what torchvision draws convolutions from: normal, of the variance
// 2/fan_out, Kaiming's rule for ReLU.
func byFanOut(_, fanOut int) Init { return Init{Normal, math.Sqrt(2 / float64(fanOut))} }
