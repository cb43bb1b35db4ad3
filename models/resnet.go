package models

import "fmt"

// resnet18For32x32 is OpenOOD's ResNet-18 for small images: a 3x3 stem of stride
// 1, no max-pool, and projections named shortcut.0 and shortcut.1.
func resnet18For32x32(m module, x string, width int) string {
	x = m.conv("conv1", x, conv{out: width, kernel: 3, stride: 1, padding: 1})
	x = m.relu(m.norm("bn1", x))
	return m.stages(x, width, []int{2, 2, 2, 2}, basicBlock("shortcut"))
}

// resNet is one of torchvision's, of so many blocks in each stage.
func resNet(write block, blocks ...int) func(m module, x string, width int) string {
	return func(m module, x string, width int) string {
		return m.stages(m.largeStem(x, width), width, blocks, write)
	}
}

// largeStem quarters the resolution before the first stage.
func (m module) largeStem(x string, width int) string {
	x = m.conv("conv1", x, conv{out: width, kernel: 7, stride: 2, padding: 3})
	return m.maxPool(m.relu(m.norm("bn1", x)), 3, 2, 1)
}

// block writes a residual block that works on so many planes.
type block func(m module, x string, planes, stride int) string

// stages writes four stages of blocks, each with twice the planes of the one
// before and half the resolution, and the average pool. The maps between have names.
func (m module) stages(x string, width int, blocks []int, write block) string {
	x = m.tap("stem", x)
	for s, n := range blocks {
		stage := fmt.Sprintf("layer%d", s+1)
		stride := min(s, 1) + 1
		for i := range n {
			x = write(m.in(fmt.Sprintf("%s.%d", stage, i)), x, width<<s, stride)
			stride = 1
		}
		x = m.tap(stage, x)
	}
	return m.average(x)
}

// basicBlock is two 3x3 convolutions around a skip connection whose projection,
// where there is one, has the given name.
func basicBlock(projection string) block {
	return func(m module, x string, planes, stride int) string {
		y := m.conv("conv1", x, conv{out: planes, kernel: 3, stride: stride, padding: 1})
		y = m.relu(m.norm("bn1", y))
		y = m.conv("conv2", y, conv{out: planes, kernel: 3, stride: 1, padding: 1})
		y = m.norm("bn2", y)
		return m.relu(m.add(y, m.skip(projection, x, planes, stride)))
	}
}

// bottleneck is a 3x3 convolution, which has the stride, between two of 1x1 that
// narrow and widen the channels. It works on planes times wide channels, in so many
// groups (ResNeXt, Xie et al. 2017; wide ResNets, Zagoruyko and Komodakis 2016).
func bottleneck(wide, groups int) block {
	const expansion = 4
	return func(m module, x string, planes, stride int) string {
		inner := planes * wide
		if inner%groups != 0 {
			m.refuse("%d channels do not make %d groups", inner, groups)
			return x
		}
		y := m.conv("conv1", x, conv{out: inner, kernel: 1, stride: 1})
		y = m.relu(m.norm("bn1", y))
		y = m.conv("conv2", y, conv{out: inner, kernel: 3, stride: stride, padding: 1, groups: groups})
		y = m.relu(m.norm("bn2", y))
		y = m.conv("conv3", y, conv{out: expansion * planes, kernel: 1, stride: 1})
		y = m.norm("bn3", y)
		return m.relu(m.add(y, m.skip("downsample", x, expansion*planes, stride)))
	}
}

// skip projects x where the block changes its shape.
func (m module) skip(name, x string, out, stride int) string {
	if stride == 1 && m.dim(x, 1) == out {
		return x
	}
	return m.norm(name+".1", m.conv(name+".0", x, conv{out: out, kernel: 1, stride: stride}))
}
