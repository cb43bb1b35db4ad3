package models

import (
	"fmt"
	"math"
)

// patch is the side of the patches that ViT-B/16 cuts an image into.
const patch = 16

// vitB16 is torchvision's ViT-B/16 (Dosovitskiy et al. 2021) without its dropout: twelve
// blocks on 768 values a token, of which each head of attention takes 64. Its positions
// are of one size of image.
func vitB16(m module, x string, width int) string {
	const headDim = 64
	if width%headDim != 0 {
		m.refuse("width %d is no multiple of %d, what a head of attention takes", width, headDim)
		return x
	}
	token := m.param("class_token", Init{Constant, 0}, 1, 1, width)
	x = m.conv("conv_proj", x, conv{out: width, kernel: patch, stride: patch, bias: true})
	tokens := 1 + m.dim(x, 2)*m.dim(x, 3)
	e := m.in("encoder")
	x = e.transpose(e.reshape(x, -1, width, tokens-1), 0, 2, 1)
	positions := e.param("pos_embedding", Init{Normal, 0.02}, 1, tokens, width)

	// The class token stands before an image's own ones. Adding it where these have
	// zeros makes one of it for each image.
	none, rest := []int{0, 0, 0}, []int{0, tokens - 1, 0}
	x = e.add(e.pad(x, []int{0, 1, 0}, none), e.add(e.pad(token, none, rest), positions))
	x = e.reshape(x, -1, width)
	for i := range 12 {
		x = vitBlock(e.in(fmt.Sprintf("layers.encoder_layer_%d", i)), x, tokens, width/headDim)
	}
	return e.layerNorm("ln", e.first(e.reshape(x, -1, tokens, width)), 1e-6)
}

func vitBlock(m module, x string, tokens, heads int) string {
	a, dim := m.in("self_attention"), m.dim(x, 1)
	y := m.layerNorm("ln_1", x, 1e-6)
	qkv := a.op("Gemm", []string{y,
		a.param("in_proj_weight", xavier(dim, 3*dim), 3*dim, dim), a.param("in_proj_bias", Init{Constant, 0}, 3*dim)}, transB)
	x = m.add(x, a.linear("out_proj", a.attend(qkv, tokens, heads, nil), dim))
	return m.add(x, m.mlp("mlp", m.layerNorm("ln_2", x, 1e-6)))
}

// first takes the first token of each image from [N,T,D]: [N,D].
func (m module) first(x string) string {
	return m.flatten(m.slice(x, 1, 0, 1))
}

// vitSize is the size of the images that positions are for.
func vitSize(shape func(name string) []int) int {
	positions := shape("encoder.pos_embedding")
	if len(positions) != 3 {
		return 0
	}
	return patch * int(math.Sqrt(float64(positions[1]-1)))
}
