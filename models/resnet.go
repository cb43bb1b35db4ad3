package models

import "fmt"

// resnet18For32x32 is OpenOOD's ResNet-18 for small images: a 3x3 stem of stride
// 1, no max-pool, and projections named shortcut.0 and shortcut.1.
func resnet18For32x32(b *builder, width int) (Value, int) {
	x := b.convBN(Image, "conv1", "bn1", Conv2d{In: 3, Out: width, Kernel: 3, Stride: 1, Padding: 1})
	x = b.add("relu", ReLU{}, x)
	return b.stages(x, width, [4]int{2, 2, 2, 2}, basicBlock("shortcut"))
}

// resnet18For224x224 is torchvision's ResNet-18.
func resnet18For224x224(b *builder, width int) (Value, int) {
	return b.stages(b.largeStem(width), width, [4]int{2, 2, 2, 2}, basicBlock("downsample"))
}

// resnet50 is torchvision's ResNet-50.
func resnet50(b *builder, width int) (Value, int) {
	return b.stages(b.largeStem(width), width, [4]int{3, 4, 6, 3}, bottleneck)
}

// largeStem quarters the resolution before the first stage.
func (b *builder) largeStem(width int) Value {
	x := b.convBN(Image, "conv1", "bn1", Conv2d{In: 3, Out: width, Kernel: 7, Stride: 2, Padding: 3})
	x = b.add("relu", ReLU{}, x)
	return b.add("maxpool", MaxPool2d{Kernel: 3, Stride: 2, Padding: 1}, x)
}

// block appends a residual block under a name prefix: x has in channels, the
// block works on planes and returns its output with the number of its channels.
type block func(b *builder, x Value, name string, in, planes, stride int) (Value, int)

// stages appends four stages of blocks, each with twice the planes of the one
// before and half the resolution, and the average pool.
func (b *builder) stages(x Value, width int, blocks [4]int, add block) (Value, int) {
	channels := width
	for s, n := range blocks {
		stride := min(s, 1) + 1
		for i := range n {
			x, channels = add(b, x, fmt.Sprintf("layer%d.%d.", s+1, i), channels, width<<s, stride)
			stride = 1
		}
	}
	return b.add("avgpool", GlobalAvgPool{}, x), channels
}

// basicBlock is two 3x3 convolutions around a skip connection whose projection,
// where there is one, has the given name.
func basicBlock(projection string) block {
	return func(b *builder, x Value, name string, in, planes, stride int) (Value, int) {
		y := b.convBN(x, name+"conv1", name+"bn1", Conv2d{In: in, Out: planes, Kernel: 3, Stride: stride, Padding: 1})
		y = b.add(name+"relu1", ReLU{}, y)
		y = b.convBN(y, name+"conv2", name+"bn2", Conv2d{In: planes, Out: planes, Kernel: 3, Stride: 1, Padding: 1})
		x = b.skip(x, name+projection, in, planes, stride)
		return b.add(name+"relu2", ReLU{}, b.add(name+"add", Add{}, y, x)), planes
	}
}

// bottleneck is a 3x3 convolution, which has the stride, between two of 1x1 that
// narrow and widen the channels.
func bottleneck(b *builder, x Value, name string, in, planes, stride int) (Value, int) {
	const expansion = 4
	out := expansion * planes
	y := b.convBN(x, name+"conv1", name+"bn1", Conv2d{In: in, Out: planes, Kernel: 1, Stride: 1})
	y = b.add(name+"relu1", ReLU{}, y)
	y = b.convBN(y, name+"conv2", name+"bn2", Conv2d{In: planes, Out: planes, Kernel: 3, Stride: stride, Padding: 1})
	y = b.add(name+"relu2", ReLU{}, y)
	y = b.convBN(y, name+"conv3", name+"bn3", Conv2d{In: planes, Out: out, Kernel: 1, Stride: 1})
	x = b.skip(x, name+"downsample", in, out, stride)
	return b.add(name+"relu3", ReLU{}, b.add(name+"add", Add{}, y, x)), out
}

// skip projects x where the block changes its shape.
func (b *builder) skip(x Value, name string, in, out, stride int) Value {
	if stride == 1 && in == out {
		return x
	}
	return b.convBN(x, name+".0", name+".1", Conv2d{In: in, Out: out, Kernel: 1, Stride: stride})
}

func (b *builder) convBN(x Value, conv, bn string, c Conv2d) Value {
	x = b.add(conv, c, x)
	return b.add(bn, BatchNorm2d{Features: c.Out, Eps: 1e-5, Momentum: 0.1}, x)
}
