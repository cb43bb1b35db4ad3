package models

import (
	"fmt"
	"math"

	"github.com/ascood/ascood/onnx"
)

// swinWindow is the side of the windows that Swin-T attends within, in tokens.
const swinWindow = 7

// swinT is torchvision's Swin-T (Liu et al. 2021) without its stochastic depth: 96 values
// a token at first, twice as many in each stage, of which each head of attention takes 32.
func swinT(m module, x string, width int) string {
	const headDim = 32
	if width%headDim != 0 {
		m.refuse("width %d is no multiple of %d, what a head of attention takes", width, headDim)
		return x
	}
	patches := m.in("features.0")
	x = patches.conv("0", x, conv{out: width, kernel: 4, stride: 4, bias: true})
	at := grid{m.dim(x, 2), m.dim(x, 3)}
	x = patches.layerNorm("2", m.reshape(m.transpose(x, 0, 2, 3, 1), -1, width), 1e-5)
	for s, blocks := range []int{2, 2, 6, 2} {
		if s > 0 {
			x, at = mergePatches(m.in(fmt.Sprintf("features.%d", 2*s)), x, at)
		}
		for i := range blocks {
			x = swinBlock(m.in(fmt.Sprintf("features.%d.%d", 2*s+1, i)), x, at, width<<s/headDim, i%2*(swinWindow/2))
		}
	}
	x = m.layerNorm("norm", x, 1e-5)
	x = m.reshape(x, -1, at.height*at.width, m.dim(x, 1))
	return m.op("ReduceMean", []string{x}, onnx.Ints("axes", 1), onnx.Int("keepdims", 0))
}

// grid is how the tokens of an image lie.
type grid struct{ height, width int }

// swinBlock attends within windows that are shifted by so many tokens.
func swinBlock(m module, x string, at grid, heads, shift int) string {
	a, dim := m.in("attn"), m.dim(x, 1)
	whole := grid{upTo(at.height, swinWindow), upTo(at.width, swinWindow)}
	by := grid{shift, shift}
	if whole.height == swinWindow {
		by.height = 0
	}
	if whole.width == swinWindow {
		by.width = 0
	}
	y := m.reshape(m.layerNorm("norm1", x, 1e-5), -1, at.height, at.width, dim)
	y = m.windows(m.roll(m.fill(y, at, whole), -by.height, -by.width), whole)

	bias := a.relativePositions(heads)
	qkv := a.linear("qkv", y, 3*dim)
	y = a.linear("proj", a.attend(qkv, swinWindow*swinWindow, heads, func(scores string) string {
		return a.mask(a.add(scores, bias), whole, by)
	}), dim)

	y = m.roll(m.unwindows(y, whole), by.height, by.width)
	if whole != at {
		y = m.slice(m.slice(y, 1, 0, at.height), 2, 0, at.width)
	}
	x = m.add(x, m.reshape(y, -1, dim))
	return m.add(x, m.mlp("mlp", m.layerNorm("norm2", x, 1e-5)))
}

// mergePatches makes one token of four.
func mergePatches(m module, x string, at grid) (string, grid) {
	dim := m.dim(x, 1)
	whole := grid{upTo(at.height, 2), upTo(at.width, 2)}
	x = m.fill(m.reshape(x, -1, at.height, at.width, dim), at, whole)
	half := grid{whole.height / 2, whole.width / 2}
	x = m.transpose(m.reshape(x, -1, half.height, 2, half.width, 2, dim), 0, 1, 3, 4, 2, 5)
	x = m.reshape(x, -1, 4*dim)
	// PyTorch lists the reduction before the normalisation that it follows.
	reduction := m.in("reduction").param("weight", m.dense(4*dim, 2*dim), 2*dim, 4*dim)
	return m.op("Gemm", []string{m.layerNorm("norm", x, 1e-5), reduction}, transB), half
}

// fill puts zeros after rows and columns of [N,H,W,D], up to a larger grid.
func (m module) fill(x string, at, whole grid) string {
	if at == whole {
		return x
	}
	return m.pad(x, []int{0, 0, 0, 0}, []int{0, whole.height - at.height, whole.width - at.width, 0})
}

// roll moves the rows and columns of [N,H,W,D], what falls off at an end to the other.
func (m module) roll(x string, rows, columns int) string {
	for i, by := range []int{rows, columns} {
		axis := i + 1
		if by == 0 {
			continue
		}
		size := m.dim(x, axis)
		cut := (size - by) % size
		x = m.op("Concat", []string{m.slice(x, axis, cut, size), m.slice(x, axis, 0, cut)}, onnx.Int("axis", axis))
	}
	return x
}

// windows turns [N,H,W,D] into the tokens of one window after the other.
func (m module) windows(x string, at grid) string {
	dim := m.dim(x, 3)
	x = m.reshape(x, -1, at.height/swinWindow, swinWindow, at.width/swinWindow, swinWindow, dim)
	return m.reshape(m.transpose(x, 0, 1, 3, 2, 4, 5), -1, dim)
}

// unwindows is the inverse.
func (m module) unwindows(rows string, at grid) string {
	dim := m.dim(rows, 1)
	x := m.reshape(rows, -1, at.height/swinWindow, at.width/swinWindow, swinWindow, swinWindow, dim)
	return m.reshape(m.transpose(x, 0, 1, 3, 2, 4, 5), -1, at.height, at.width, dim)
}

// relativePositions is what attention adds to the score of two tokens of a window for
// where they lie to one another: [1,heads,T,T].
func (m module) relativePositions(heads int) string {
	const side, tokens = 2*swinWindow - 1, swinWindow * swinWindow
	table := m.param("relative_position_bias_table", Init{Normal, 0.02}, side*side, heads)
	var index []int
	for i := range tokens {
		for j := range tokens {
			rows, columns := i/swinWindow-j/swinWindow, i%swinWindow-j%swinWindow
			index = append(index, (rows+swinWindow-1)*side+columns+swinWindow-1)
		}
	}
	at := m.integers("relative_position_index", index)
	x := m.op("Gather", []string{table, at}, onnx.Int("axis", 0))
	return m.reshape(m.transpose(m.reshape(x, tokens, tokens, heads), 2, 0, 1), 1, heads, tokens, tokens)
}

// mask keeps tokens apart that a shift has brought together: scores are those of all
// windows [N·windows,heads,T,T].
func (m module) mask(scores string, at, shift grid) string {
	if shift == (grid{}) {
		return scores
	}
	const tokens = swinWindow * swinWindow
	heads, count := m.dim(scores, 1), at.height*at.width/tokens
	apart := make([]float32, 0, count*tokens*tokens)
	for w := range count {
		top, left := w/(at.width/swinWindow)*swinWindow, w%(at.width/swinWindow)*swinWindow
		region := func(token int) int {
			return 3*part(top+token/swinWindow, at.height, shift.height) + part(left+token%swinWindow, at.width, shift.width)
		}
		for i := range tokens {
			for j := range tokens {
				score := float32(0)
				if region(i) != region(j) {
					score = -100
				}
				apart = append(apart, score)
			}
		}
	}
	x := m.reshape(scores, -1, count, heads, tokens, tokens)
	x = m.add(x, m.b.Weights("apart", apart, 1, count, 1, tokens, tokens))
	return m.reshape(x, -1, heads, tokens, tokens)
}

// part says which of three parts of a shifted axis a place is in: what was not moved to
// another window, the last window's own, and what came from the other end.
func part(at, size, shift int) int {
	switch {
	case at < size-swinWindow:
		return 0
	case at < size-shift:
		return 1
	}
	return 2
}

// upTo is the next multiple of a step.
func upTo(n, step int) int { return int(math.Ceil(float64(n)/float64(step))) * step }
