package export

import "github.com/ascood/ascood/onnx"

// grid is maps with the channels of each place next to each other, [N·rows·columns,C]: a
// place is moved at once.
type grid struct {
	value    string
	size     [2]int // rows and columns
	channels int
}

// grid turns maps [N,C,H,W] into a grid.
func (p *passes) grid(maps string) grid {
	s := p.shape(maps)
	value := p.Op("Transpose", []string{maps}, onnx.Ints("perm", 0, 2, 3, 1))
	return grid{p.op("Reshape", value, p.Int64s(-1, s[1].Size)), [2]int{s[2].Size, s[3].Size}, s[1].Size}
}

// maps turns a grid into maps [N,C,H,W].
func (p *passes) maps(g grid) string {
	value := p.op("Reshape", g.value, p.Int64s(-1, g.size[0], g.size[1], g.channels))
	return p.Say(p.Op("Transpose", []string{value}, onnx.Ints("perm", 0, 3, 1, 2)))
}

// block is a rectangle of each image's maps, of equal size in all images.
type block struct {
	image  string // which image, counted from 0 [N,1]
	corner string // its first row and column [N,2]
	size   [2]int // rows and columns
}

// take is a block of a grid.
func (p *passes) take(g grid, b block) grid {
	return grid{p.op("Gather", g.value, p.op("Reshape", p.rows(g, b), p.Int64s(-1))), b.size, g.channels}
}

// put is a grid with other values in a block.
func (p *passes) put(g grid, b block, values grid) grid {
	rows := p.op("Reshape", p.rows(g, b), p.Int64s(-1, 1))
	return grid{p.op("ScatterND", g.value, rows, values.value), g.size, g.channels}
}

// rows are where in a grid the places of a block are, [N,rows·columns].
func (p *passes) rows(g grid, b block) string {
	first := p.op("ReduceSum", p.op("Mul", b.corner, p.Int64s(g.size[1], 1)), p.Int64s(1)) // [N,1]
	first = p.op("Add", first, p.op("Mul", b.image, p.Int64s(g.size[0]*g.size[1])))
	steps := make([]int, b.size[0]*b.size[1])
	for i := range steps {
		steps[i] = i/b.size[1]*g.size[1] + i%b.size[1]
	}
	return p.op("Add", first, p.Int64s(steps...))
}
