package windows

import "github.com/ascood/ascood/onnx"

// Interleave puts maps into place of which every stride-th row and column are by themselves: those of row r and column c
// are the (r·stride + c)-th of stride² lots of channels of x. It is DepthToSpace, mode DCR, which is slow in ONNX Runtime:
// that moves two axes at once, for which there is no fast kernel. One by one there is.
func Interleave(b *onnx.Builder, x string, stride int) string {
	s := shape(b, x)
	n, c := onnx.Dim{Size: stride}, onnx.Dim{Size: s[1].Size / stride / stride}
	wide := onnx.Dim{Size: s[3].Size * stride}
	x = reshape(b, x, onnx.Shape{s[0], n, n, c, s[2], s[3]})
	x = b.Op("Transpose", []string{x}, onnx.Ints("perm", 0, 1, 3, 4, 5, 2)) // the columns of lots inside those of the map
	x = reshape(b, x, onnx.Shape{s[0], n, c, s[2], wide})
	x = b.Op("Transpose", []string{x}, onnx.Ints("perm", 0, 2, 3, 1, 4)) // the rows
	return reshape(b, x, onnx.Shape{s[0], c, {Size: s[2].Size * stride}, wide})
}

// reshape copies the first axis: if a batch were to be found out, ONNX Runtime would not know that it is the batch of
// other values, and would leave the blocked layout where they meet.
func reshape(b *onnx.Builder, x string, s onnx.Shape) string {
	target := s.At(1)
	target[0] = 0
	return b.Op("Reshape", []string{x, b.Int64s(target...)})
}

// Crop cuts maps to the size of others, which begin at a row of them.
func Crop(b *onnx.Builder, x string, row int, s onnx.Shape) string {
	if has := shape(b, x); has[2:].Equal(s[2:]) {
		return x
	}
	return b.Op("Slice", []string{x, b.Int64s(row, 0), b.Int64s(row+s[2].Size, s[3].Size), b.Int64s(2, 3)})
}
