package ort

import (
	"maps"
	"testing"

	"github.com/ascood/ascood"
)

func TestCUDAOptions(t *testing.T) {
	plain := map[string]string{"device_id": "1", "cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested", "use_tf32": "0"}
	if got := cudaOptions(ascood.CUDA(1), Options{}); !maps.Equal(got, plain) {
		t.Errorf("options %v, want %v", got, plain)
	}
	got := cudaOptions(ascood.CUDA(0), Options{TF32: true, GPUMemory: 3 << 30})
	if got["use_tf32"] != "1" || got["gpu_mem_limit"] != "3221225472" || got["device_id"] != "0" || len(got) != len(plain)+1 {
		t.Errorf("options %v", got)
	}
}
