package ort

// placing is whether OnlyPlace was called.
var placing bool

// OnlyPlace makes this process create CUDA sessions and run none, on a machine that has
// the provider and stand-ins for CUDA's libraries. A graph of which a node would run on
// the CPU cannot be opened then; nodes that copy are announced by ONNX Runtime's log.
func OnlyPlace() {
	placing = true
	foundCUDA.Store(true)
}
