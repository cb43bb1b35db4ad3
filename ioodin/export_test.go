package ioodin

// PadTo returns the options with batch sizes that others are padded to.
func (o Options) PadTo(sizes ...int) Options {
	o.batchSizes = sizes
	return o
}
