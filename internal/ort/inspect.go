package ort

import (
	"fmt"
	"os"

	runtime "github.com/yalue/onnxruntime_go"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/gpu"
)

// Part is something that a device needs.
type Part struct {
	Name  string
	Found string // a version or a path, "" if it is not there
	Fault string // what is wrong with it and what would be right, "" if nothing
}

// Inspect looks for all that a device needs, and for what changes how it computes. For
// "auto" it is what CUDA needs. The GPUs are asked for if all else is there.
func Inspect(device ascood.Device) ([]Part, error) {
	library, err := loadLibrary()
	if err != nil {
		return nil, err
	}
	parts := []Part{{Name: "ONNX Runtime", Found: runtime.GetVersion() + ", " + library}}
	if !device.IsCUDA() && !device.IsAuto() {
		return parts, nil
	}
	for _, name := range []string{"CUDA_VISIBLE_DEVICES", "NVIDIA_TF32_OVERRIDE"} {
		if value, ok := os.LookupEnv(name); ok {
			parts = append(parts, Part{Name: name, Found: value})
		}
	}
	complete := true
	for _, part := range thisMachine().inspectCUDA(library) {
		if part.Name == cudnn && part.Found != "" {
			part.Found = fmt.Sprintf("%s, %s", gpu.CuDNN(part.Found), part.Found)
		}
		complete = complete && part.Fault == ""
		parts = append(parts, part)
	}
	if !complete {
		return parts, nil
	}
	return append(parts, inspectGPUs(device)...), nil
}

// inspectGPUs lists the GPUs that the driver shows.
func inspectGPUs(device ascood.Device) []Part {
	gpus, err := gpu.List()
	if err != nil {
		return []Part{{Name: "GPUs", Fault: err.Error()}}
	}
	var parts []Part
	for i, g := range gpus {
		parts = append(parts, Part{Name: ascood.CUDA(i).String(), Found: g.String()})
	}
	if device.Index() >= len(gpus) {
		parts = append(parts, Part{Name: device.String(), Fault: fmt.Sprintf("there is no GPU %d: the driver shows %d", device.Index(), len(gpus))})
	}
	return parts
}
