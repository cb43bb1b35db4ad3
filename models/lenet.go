package models

// lenet is OpenOOD's LeNet for 28x28 images: 6, 16 and 120 maps and a feature
// of 84 at its published width of 6; other widths keep those proportions.
func lenet(m module, x string, width int) string {
	x = m.conv("block1.0", x, conv{out: width, kernel: 5, stride: 1, padding: 2, bias: true})
	x = m.maxPool(m.relu(x), 2, 2, 0)
	x = m.conv("block2.0", x, conv{out: width * 16 / 6, kernel: 5, stride: 1, bias: true})
	x = m.maxPool(m.relu(x), 2, 2, 0)
	x = m.conv("block3.0", x, conv{out: width * 120 / 6, kernel: 5, stride: 1, bias: true})
	x = m.flatten(m.relu(x))
	if got, want := m.dim(x, 1), width*120/6; got != want {
		m.refuse("classifier1 takes %d values, got %d", want, got)
	}
	return m.relu(m.linear("classifier1", x, width*84/6))
}
