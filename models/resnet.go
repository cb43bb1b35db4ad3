package models

import "fmt"

// resnet18For32x32 is OpenOOD's ResNet-18 for small images: a 3x3 stem of stride
// 1, no max-pool, and projections named shortcut.0 and shortcut.1.
func resnet18For32x32(b *builder, width int) (Value, int) {
	x := b.convBN(Image, "conv1", "bn1", Conv2d{In: 3, Out: width, Kernel: 3, Stride: 1, Padding: 1})
	x = b.add("relu", ReLU{}, x)
	return b.stages(x, width, [4]int{2, 2, 2, 2}, "shortcut")
}

// stages appends the four stages of basic blocks and the average pool.
func (b *builder) stages(x Value, width int, blocks [4]int, projection string) (Value, int) {
	in := width
	for s, n := range blocks {
		out, stride := width<<s, min(s, 1)+1
		for i := range n {
			x = b.basicBlock(x, fmt.Sprintf("layer%d.%d.", s+1, i), projection, in, out, stride)
			in, stride = out, 1
		}
	}
	x = b.add("avgpool", GlobalAvgPool{}, x)
	return x, in
}

// basicBlock is two 3x3 convolutions around a skip connection, projected where
// the shape changes.
func (b *builder) basicBlock(x Value, name, projection string, in, out, stride int) Value {
	y := b.convBN(x, name+"conv1", name+"bn1", Conv2d{In: in, Out: out, Kernel: 3, Stride: stride, Padding: 1})
	y = b.add(name+"relu1", ReLU{}, y)
	y = b.convBN(y, name+"conv2", name+"bn2", Conv2d{In: out, Out: out, Kernel: 3, Stride: 1, Padding: 1})
	if stride != 1 || in != out {
		name := name + projection
		x = b.convBN(x, name+".0", name+".1", Conv2d{In: in, Out: out, Kernel: 1, Stride: stride})
	}
	return b.add(name+"relu2", ReLU{}, b.add(name+"add", Add{}, y, x))
}

func (b *builder) convBN(x Value, conv, bn string, c Conv2d) Value {
	x = b.add(conv, c, x)
	return b.add(bn, BatchNorm2d{Features: c.Out, Eps: 1e-5, Momentum: 0.1}, x)
}
