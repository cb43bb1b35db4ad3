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
	UpTo                         // between 0 and Scale
	Normal                       // around 0 with the standard deviation Scale
)

// initial is what the layers of an architecture begin with: convolutions' weights, linear
// layers', and the biases of both.
type initial struct{ conv, dense, bias rule }

// rule finds a distribution by how many values an output is made of, and how many
// outputs a value goes into.
type rule func(fanIn, fanOut int) Init

// byFanIn is PyTorch's default for convolutions and linear layers, weights and biases
// alike: uniform within ±1/√fan_in, Kaiming's rule for a leaky slope of √5.
func byFanIn(fanIn, _ int) Init { return Init{Uniform, 1 / math.Sqrt(float64(fanIn))} }

// byFanOut is what torchvision draws most convolutions from: normal, of the variance
// 2/fan_out, Kaiming's rule for ReLU.
func byFanOut(_, fanOut int) Init { return Init{Normal, math.Sqrt(2 / float64(fanOut))} }

// forReLU is the same of fan_in.
func forReLU(fanIn, _ int) Init { return Init{Normal, math.Sqrt(2 / float64(fanIn))} }

// lecun is normal, of the variance 1/fan_in.
func lecun(fanIn, _ int) Init { return Init{Normal, 1 / math.Sqrt(float64(fanIn))} }

// xavier is uniform within ±√(6/(fan_in+fan_out)).
func xavier(fanIn, fanOut int) Init { return Init{Uniform, math.Sqrt(6 / float64(fanIn+fanOut))} }

// byOutputs is uniform within ±1/√fan_out.
func byOutputs(_, fanOut int) Init { return Init{Uniform, 1 / math.Sqrt(float64(fanOut))} }

// normal is of one standard deviation for all.
func normal(deviation float64) rule { return func(int, int) Init { return Init{Normal, deviation} } }

// zero is 0 for all.
func zero(int, int) Init { return Init{Constant, 0} }
