package ort

import (
	"fmt"
	"log/slog"
	"strconv"
	"sync"

	runtime "github.com/yalue/onnxruntime_go"

	"github.com/ascood/ascood"
)

// Options says how to run a graph.
type Options struct {
	Device  ascood.Device
	Threads int          // for one run; 0 is one a core
	Logger  *slog.Logger // tells what "auto" chose; nil is silent

	// For a GPU.
	TF32      bool  // round to 11 bits in convolutions and matrix products, which is faster
	GPUMemory int64 // most that a padded batch size takes, bytes; 0 is no limit

	Own bool // on the CPU, take operators of ours where they are faster (package kernels); loading takes longer

	NHWC bool // convolve with the channels innermost, as tensor cores do

	Sizes []int // of the batches that others are padded to, ascending; nil is what suits the device
	Most  int   // images that are computed at once, where batches are not padded; 0 is any number

	strict  bool // no node may run on the CPU in place of the device
	bounded bool // memory, and nothing is computed on loading; for files that nobody has looked at

	profile string // what the files begin with that tell how long each node took; "" for none
}

func sessionOptions(device ascood.Device, opt Options) (*runtime.SessionOptions, error) {
	options, err := runtime.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("session options: %w", err)
	}
	if err := configure(options, device, opt); err != nil {
		options.Destroy()
		return nil, err
	}
	return options, nil
}

func configure(options *runtime.SessionOptions, device ascood.Device, opt Options) error {
	if err := options.SetIntraOpNumThreads(opt.Threads); err != nil {
		return fmt.Errorf("set threads: %w", err)
	}
	// Threads that wait for work must not take the cores from decoding: with
	// other work on the machine, spinning halves the throughput.
	if err := options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"); err != nil {
		return fmt.Errorf("session options: %w", err)
	}
	if opt.bounded {
		if err := bound(options); err != nil {
			return fmt.Errorf("bound memory: %w", err)
		}
	}
	if opt.profile != "" {
		if err := options.EnableProfiling(opt.profile); err != nil {
			return fmt.Errorf("session options: %w", err)
		}
	}
	if !device.IsCUDA() {
		return nil
	}
	if placing || opt.strict {
		if err := options.AddSessionConfigEntry("session.disable_cpu_ep_fallback", "1"); err != nil {
			return fmt.Errorf("session options: %w", err)
		}
	}
	cuda, err := runtime.NewCUDAProviderOptions()
	if err != nil {
		return ascood.Errorf(ascood.Unavailable, "CUDA provider: %w", err)
	}
	defer cuda.Destroy()
	if err := cuda.Update(cudaOptions(device, opt)); err != nil {
		return ascood.Errorf(ascood.Unavailable, "CUDA device %d: %w", device.Index(), err)
	}
	if err := options.AppendExecutionProviderCUDA(cuda); err != nil {
		return ascood.Errorf(ascood.Unavailable, "CUDA provider: %w", err)
	}
	return nil
}

// maxBounded is the most memory that bounded sessions take together: several times what
// one image takes in the largest published networks, weights included.
const maxBounded = 8 << 30

// bound has a session take its memory from what all bounded ones share, and compute
// nothing on loading, which no bound would hold for.
func bound(options *runtime.SessionOptions) error {
	if err := shareMemory(); err != nil {
		return err
	}
	if err := options.SetGraphOptimizationLevel(runtime.GraphOptimizationLevelDisableAll); err != nil {
		return err
	}
	for _, entry := range []string{
		"session.use_env_allocators",
		"session.use_device_allocator_for_initializers", // weights, of which a file has few, are freed with the session
		"session.disable_prepacking",                    // another copy of them, worth it for many runs alone
	} {
		if err := options.AddSessionConfigEntry(entry, "1"); err != nil {
			return err
		}
	}
	return nil
}

// shareMemory makes what bounded sessions share.
var shareMemory = sync.OnceValue(func() error {
	const asRequested, usual = 1, -1 // how the arena grows, and what is left as it is
	settings, err := runtime.NewArenaCfg(maxBounded, asRequested, usual, usual)
	if err != nil {
		return err
	}
	defer settings.Destroy()
	cpu, err := runtime.GetMemoryInfo()
	if err != nil {
		return err
	}
	return runtime.CreateAndRegisterAllocator(cpu, settings)
})

// cudaOptions are the CUDA provider's settings.
func cudaOptions(device ascood.Device, opt Options) map[string]string {
	options := map[string]string{
		"device_id": strconv.Itoa(device.Index()),
		// To time every algorithm, the default, costs much when a shape is new and
		// gains nothing after: 142 ms a run against 16.5 where two shapes take turns,
		// 5.9 against 4.9 for one (github.com/sgl-project/sglang-omni, issue 2176).
		"cudnn_conv_algo_search": "HEURISTIC",
		// To grow by powers of two, the default, doubles the peak.
		"arena_extend_strategy": "kSameAsRequested",
		// Calibrations are made on the CPU, in full precision.
		"use_tf32": "0",
	}
	if opt.TF32 {
		options["use_tf32"] = "1"
	}
	if opt.NHWC {
		options["prefer_nhwc"] = "1"
	}
	if opt.GPUMemory > 0 {
		options["gpu_mem_limit"] = strconv.FormatInt(opt.GPUMemory, 10)
	}
	return options
}
