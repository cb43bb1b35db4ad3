package models

// lenet is OpenOOD's LeNet for 28x28 images: 6, 16 and 120 maps and a feature
// of 84 at its published width of 6; other widths keep those proportions.
func lenet(b *builder, width int) (Value, int) {
	maps2, maps3, dim := width*16/6, width*120/6, width*84/6
	x := b.add("block1.0", Conv2d{In: 3, Out: width, Kernel: 5, Stride: 1, Padding: 2, Bias: true}, Image)
	x = b.add("block1.1", ReLU{}, x)
	x = b.add("block1.2", MaxPool2d{Kernel: 2, Stride: 2}, x)
	x = b.add("block2.0", Conv2d{In: width, Out: maps2, Kernel: 5, Stride: 1, Bias: true}, x)
	x = b.add("block2.1", ReLU{}, x)
	x = b.add("block2.2", MaxPool2d{Kernel: 2, Stride: 2}, x)
	x = b.add("block3.0", Conv2d{In: maps2, Out: maps3, Kernel: 5, Stride: 1, Bias: true}, x)
	x = b.add("block3.1", ReLU{}, x)
	x = b.add("flatten", Flatten{}, x)
	x = b.add("classifier1", Linear{In: maps3, Out: dim}, x)
	return b.add("relu", ReLU{}, x), dim
}
