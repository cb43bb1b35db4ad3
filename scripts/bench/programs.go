package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/preprocess"
)

const (
	bin   = "bin"
	photo = "preprocess/testdata/crops/photo-420-400x300.jpg"
	mebi  = 1 << 20
)

// measurePrograms measures what `make build` has put into bin/.
func measurePrograms(ctx context.Context, quick bool) ([]result, error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	model := filepath.Join(folder, "resnet18.onnx")
	if err := writeModel(model); err != nil {
		return nil, err
	}
	rounds := 11
	if quick {
		rounds = 5
	}
	var all []result
	for _, measure := range []func(context.Context, string, int) ([]result, error){startUp, peaks, sizes} {
		results, err := measure(ctx, model, rounds)
		if err != nil {
			return nil, err
		}
		all = append(all, results...)
	}
	return all, nil
}

// writeModel writes an artifact of resnet18_224x224 with random weights and a calibration.
func writeModel(path string) error {
	pre, err := preprocess.Preset("imagenet")
	if err != nil {
		return err
	}
	network, err := models.New(models.Spec{Arch: "resnet18_224x224", Classes: 10, Head: models.HeadASCOOD}, pre.ImageSize)
	if err != nil {
		return err
	}
	m, err := network.Model(testmodel.RandomWeights(network))
	if err != nil {
		return err
	}
	score, err := artifact.DefaultScore(artifact.ScoreIODIN)
	if err != nil {
		return err
	}
	model, err := export.Build(export.Named(m), pre, score, artifact.CPU)
	if err != nil {
		return err
	}
	meta := &artifact.Metadata{Name: "resnet18", Arch: network.Spec.Arch, Head: string(network.Spec.Head), Preprocess: pre, Score: score}
	var scores []float64
	for i := range 10 {
		meta.Classes = append(meta.Classes, strconv.Itoa(i))
	}
	for i := range 1000 {
		scores = append(scores, float64(i)/1000)
	}
	if meta.Calibration, err = artifact.Calibrate(scores, 0.95, score, "none"); err != nil {
		return err
	}
	return artifact.Save(path, model, meta)
}

// startUp is how long programs take to say what they can do, to score an image, and to
// serve.
func startUp(ctx context.Context, model string, rounds int) ([]result, error) {
	var results []result
	add := func(name string, measure func() (time.Duration, error)) error {
		var times []time.Duration
		for range rounds {
			t, err := measure()
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			times = append(times, t)
		}
		slices.Sort(times)
		results = append(results, result{name, "Start", map[string]float64{"ms": 1e3 * times[len(times)/2].Seconds()}})
		return nil
	}
	for _, args := range [][]string{
		{"ascood-score", "--help"}, {"ascood-serve", "--help"}, {"ascood-eval", "--help"}, {"ascood-export", "--help"}, {"ascood-train", "--help"},
	} {
		if err := add(args[0]+" --help", func() (time.Duration, error) {
			start := time.Now()
			err := exec.CommandContext(ctx, filepath.Join(bin, args[0]), args[1:]...).Run()
			return time.Since(start), err
		}); err != nil {
			return nil, err
		}
	}
	if err := add("ascood-score, one image", func() (time.Duration, error) {
		start := time.Now()
		err := exec.CommandContext(ctx, filepath.Join(bin, "ascood-score"), "--model", model, photo).Run()
		return time.Since(start), err
	}); err != nil {
		return nil, err
	}
	return results, add("ascood-serve, until it is ready", func() (time.Duration, error) {
		start := time.Now()
		s, err := serve(ctx, model)
		if err != nil {
			return 0, err
		}
		ready := time.Since(start)
		return ready, s.stop()
	})
}

// peaks are how much memory programs take at most with batches of 16; the server until it
// is ready, and after that.
func peaks(ctx context.Context, model string, _ int) ([]result, error) {
	file, err := os.Stat(model)
	if err != nil {
		return nil, err
	}
	peak := func(name string, mib float64) result {
		return result{name, "Memory", map[string]float64{"peak-MiB": mib, "beyond-MiB": mib - float64(file.Size())/mebi}}
	}
	score := exec.CommandContext(ctx, filepath.Join(bin, "ascood-score"), append([]string{"--model", model, "--batch-size", "16"}, slices.Repeat([]string{photo}, 64)...)...)
	if err := score.Run(); err != nil {
		return nil, fmt.Errorf("ascood-score: %w", err)
	}
	used, ok := score.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return nil, fmt.Errorf("this system does not say how much memory a process has taken")
	}
	s, err := serve(ctx, model, "--max-batch", "16")
	if err != nil {
		return nil, err
	}
	loading, err := s.peak()
	if err != nil {
		return nil, err
	}
	if err := s.load(ctx, 128, 32); err != nil {
		return nil, err
	}
	serving, err := s.peak()
	if err != nil {
		return nil, err
	}
	return []result{
		peak("ascood-score, batches of 16", float64(used.Maxrss)/1024),
		peak("ascood-serve, until it is ready", loading),
		peak("ascood-serve, batches of 16", serving),
	}, s.stop()
}

// peak is the most memory that the server has taken since it was last asked, MiB.
func (s *server) peak() (float64, error) {
	folder := fmt.Sprintf("/proc/%d/", s.command.Process.Pid)
	var kB float64
	if _, err := fmt.Sscan(field(folder+"status", "VmHWM"), &kB); err != nil {
		return 0, err
	}
	const forget = "5" // clear_refs: VmHWM begins anew
	return kB / 1024, os.WriteFile(folder+"clear_refs", []byte(forget), 0)
}

// sizes are those of the programs' files.
func sizes(context.Context, string, int) ([]result, error) {
	files, err := filepath.Glob(filepath.Join(bin, "ascood-*"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("there are no programs in %s: make build puts them there (%w)", bin, err)
	}
	var results []result
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		results = append(results, result{filepath.Base(file), "Size", map[string]float64{"MiB": float64(info.Size()) / mebi}})
	}
	return results, nil
}

// server is ascood-serve as a process of its own.
type server struct {
	command *exec.Cmd
	url     string
}

// serve starts it and returns when it is ready.
func serve(ctx context.Context, model string, flags ...string) (*server, error) {
	s := &server{command: exec.CommandContext(ctx, filepath.Join(bin, "ascood-serve"),
		append([]string{"--model", model, "--addr", "127.0.0.1:0", "--log-format", "json"}, flags...)...)}
	log, err := s.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(log)
	for s.url == "" && lines.Scan() {
		var line struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			s.url = "http://" + line.Addr
		}
	}
	go io.Copy(io.Discard, log)
	if s.url == "" {
		return nil, fmt.Errorf("ascood-serve did not start: %w", s.command.Wait())
	}
	for {
		response, err := http.Get(s.url + "/readyz")
		if err != nil {
			return nil, err
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return s, nil
		}
		time.Sleep(time.Millisecond)
	}
}

// load asks for the score of an image many times, by clients that take turns with none.
func (s *server) load(ctx context.Context, requests, clients int) error {
	file, err := os.ReadFile(photo)
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(clients)
	for range requests {
		group.Go(func() error {
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/score", bytes.NewReader(file))
			if err != nil {
				return err
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err == nil && response.StatusCode != http.StatusOK {
				err = fmt.Errorf("ascood-serve: %s: %s", response.Status, text)
			}
			return err
		})
	}
	return group.Wait()
}

func (s *server) stop() error {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.command.Wait()
}
