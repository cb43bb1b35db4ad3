package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/serve"
)

// network is one of testdata/nets.
type network struct {
	file, arch string
	size       int // of its input, pixels
}

var (
	lenet  = network{"lenet", "lenet", 28}
	resnet = network{"ascood-resnet18_32x32", "resnet18_32x32", 32}
)

// exported is a network with random pictures' scores as its calibration.
func exported(t *testing.T, net network) (*onnx.ModelProto, *artifact.Metadata) {
	t.Helper()
	c, err := checkpoint.Load(filepath.Join("..", "..", "testdata", "nets", net.file+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	half := [3]float64{.5, .5, .5}
	score, err := artifact.DefaultScore(artifact.ScoreIODIN)
	if err != nil {
		t.Fatal(err)
	}
	model, meta, err := export.FromCheckpoint(c, export.Options{
		Name: "test", Arch: net.arch, Score: score,
		Preprocess: &preprocess.Config{PreSize: net.size, ImageSize: net.size, Mean: half, Std: half},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ioodin.New(model, meta, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	scores := make([]float64, 40)
	for i := range scores {
		r, err := m.Score(t.Context(), [][]uint8{meta.Preprocess.Crop(picture(i))})
		if err != nil {
			t.Fatal(err)
		}
		scores[i] = r[0].Score
	}
	if meta.Calibration, err = artifact.Calibrate(scores, 0.9, score, "pictures"); err != nil {
		t.Fatal(err)
	}
	return model, meta
}

func save(t *testing.T, model *onnx.ModelProto, meta *artifact.Metadata) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := artifact.Save(path, model, meta); err != nil {
		t.Fatal(err)
	}
	return path
}

// picture is the i-th of endless different pictures.
func picture(i int) *image.NRGBA {
	rng := rand.New(rand.NewPCG(uint64(i), 0))
	img := image.NewNRGBA(image.Rect(0, 0, 40, 32))
	for p := range img.Pix {
		img.Pix[p] = uint8(rng.IntN(256)) | 0xff*uint8(p%4/3)
	}
	return img
}

func encoded(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// start runs the command on a free port until the test ends, and returns the
// server's URL.
func start(t *testing.T, args ...string) (url string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	stderr, log := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, append([]string{"--addr", "127.0.0.1:0", "--log-format", "json"}, args...), io.Discard, log)
		log.Close()
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	lines := json.NewDecoder(stderr)
	for {
		var line struct{ Msg, Addr string }
		if err := lines.Decode(&line); err != nil {
			t.Fatalf("it ended before it listened: %v", <-ended)
		}
		if line.Msg == "listening" {
			go io.Copy(io.Discard, stderr)
			return "http://" + line.Addr
		}
	}
}

// post uploads a file and returns what is said of it.
func post(url string, file []byte) (*serve.Decision, error) {
	response, err := http.Post(url+"/v1/score", "", bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer serve.ScoreResponse
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK || len(answer.Results) != 1 || answer.Results[0].Decision == nil {
		return nil, fmt.Errorf("status %d, answer %+v", response.StatusCode, answer)
	}
	return answer.Results[0].Decision, nil
}

// A real network gives each of many clients what it gives one alone, and what it
// gives without a server.
func TestConcurrentUploads(t *testing.T) {
	for _, net := range []network{lenet, resnet} {
		t.Run(net.file, func(t *testing.T) {
			model, meta := exported(t, net)
			url := start(t, "--model", save(t, model, meta), "--device", "cpu")
			m, err := ioodin.New(model, meta, ioodin.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			var clients sync.WaitGroup
			barrier := make(chan struct{}) // until all clients are ready
			for i := range 48 {
				want, err := m.Score(t.Context(), [][]uint8{meta.Preprocess.Crop(picture(i))})
				if err != nil {
					t.Fatal(err)
				}
				file := encoded(t, picture(i))
				check(t, m, url, file, want[0])
				clients.Go(func() {
					<-barrier
					check(t, m, url, file, want[0])
				})
			}
			close(barrier)
			clients.Wait()
		})
	}
}

// check uploads a file and compares the answer with the model's own. Sums in a
// batch may be taken in another order, so scores agree to float32's precision.
func check(t *testing.T, m *ioodin.Model, url string, file []byte, want ioodin.Result) {
	got, err := post(url, file)
	if err != nil {
		t.Error(err)
		return
	}
	c, err := m.Calibration()
	if err != nil {
		t.Error(err)
		return
	}
	d := c.Decide(got.Score)
	if math.Abs(got.Score-want.Score) > 1e-6 || math.Abs(got.Probability-want.Probability) > 1e-5 || got.Prediction != want.Prediction ||
		got.Class != m.Info().Classes[want.Prediction] || got.Verdict != d.Verdict || got.PValue != d.PValue || got.Threshold != d.Threshold {
		t.Errorf("got %+v, want %+v, %+v", *got, want, d)
	}
}

// listenOn is an address in use until the test ends.
func listenOn(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestPortInUse(t *testing.T) {
	other := listenOn(t)
	// It is known before the model is looked at.
	err := run(t.Context(), []string{"--model", "missing.onnx", "--addr", other}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), other+": bind: address already in use; --addr chooses another") {
		t.Errorf("got %v", err)
	}
}

func TestWrongModel(t *testing.T) {
	model, meta := exported(t, lenet)
	good := save(t, model, meta)
	uncalibrated := *meta
	uncalibrated.Calibration = nil
	unmarked := filepath.Join(t.TempDir(), "other.onnx")
	model.MetadataProps = nil
	if data, err := proto.Marshal(model); err != nil {
		t.Fatal(err)
	} else if err := os.WriteFile(unmarked, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"missing", []string{"--model", "missing.onnx"}, "model: open missing.onnx: no such file"},
		{"no ONNX file", []string{"--model", "main.go"}, "model main.go: not an ONNX file"},
		{"not ours", []string{"--model", unmarked}, "an ONNX file, but not one that ascood-export wrote"},
		{"uncalibrated", []string{"--model", save(t, model, &uncalibrated)}, "model test was exported without a calibration: it has scores but no verdicts"},
		{"another score", []string{"--model", good, "--score", "msp"}, "model test is calibrated for iodin (temperature 1000, noise 0.0014), not for msp (temperature 1)"},
		{"another temperature", []string{"--model", good, "--temperature", "1"}, "not for iodin (temperature 1, noise 0.0014)"},
		{"unknown score", []string{"--model", good, "--score", "energy"}, `--score: unknown score "energy"; known are iodin, iodin_fast, odin, msp`},
		{"temperature 0", []string{"--model", good, "--temperature", "0"}, "temperature 0: must be a number greater than 0"},
		{"unknown device", []string{"--model", good, "--device", "tpu"}, `unknown device "tpu"; known are cpu, cuda, cuda:N and auto`},
		{"threads", []string{"--model", good, "--threads", "-1"}, "--threads -1: must be"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := run(t.Context(), append(tt.args, "--addr", "127.0.0.1:0"), io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// Flags have twins in the environment, which the command line overrides.
func TestEnvironment(t *testing.T) {
	t.Setenv("ASCOOD_MODEL", "m")
	t.Setenv("ASCOOD_MAX_QUEUE", "77")
	t.Setenv("ASCOOD_DRAIN_DELAY", "3s")
	t.Setenv("ASCOOD_VERSION", "ignored")
	o, err := parse([]string{"--drain-delay", "5s"}, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.source.Model != "m" || o.limits.MaxQueue != 77 || o.limits.DrainDelay != 5*time.Second {
		t.Errorf("got %+v", o.limits)
	}
	t.Setenv("ASCOOD_MAX_QUEUE", "many")
	if _, err := parse(nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "ASCOOD_MAX_QUEUE=many: must be") {
		t.Errorf("got %v", err)
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "--model is missing, or --models: what to serve"},
		{[]string{"--models", "m", "--name", "clothes"}, "--name has no meaning without --model"},
		{[]string{"--model", "m", "--default", "clothes"}, "--default has no meaning without --models"},
		{[]string{"--model", "m", "--models", "n", "--default", "clothes"}, "--default clothes: --model is the default already"},
		{[]string{"--model", "m", "--name", "a/b"}, `--name a/b: it is part of a path, so without "/"`},
		{[]string{"--models", "missing"}, "folder of models: open missing: no such file or directory"},
		{[]string{"--model", "m", "--watch", "soon"}, "--watch soon: must be"},
		{[]string{"--model", "m", "model.onnx"}, `unexpected argument "model.onnx"`},
		{[]string{"--model", "m", "--log-format", "xml"}, `unknown format "xml"; known are text and json`},
		{[]string{"--model", "m", "--max-body", "0"}, `--max-body 0: must be from 1 to 16384`},
		{[]string{"--model", "m", "--max-body", "99999999999999"}, `--max-body 99999999999999: must be from 1 to 16384`},
		{[]string{"--model", "m", "--max-body", "5000"}, "--max-upload-memory: 1073741824 bytes are less than the 5242880000 of one request (--max-body)"},
		{[]string{"--model", "m", "--max-megapixels", "nan"}, `--max-megapixels nan: must be from 0.001 to 10000`},
		{[]string{"--model", "m", "--max-batch", "-1"}, `--max-batch -1: must be from 0 to 1024`},
		{[]string{"--model", "m", "--max-queue", "8"}, "--max-queue: 8 images are less than the 16 of one request (--max-images)"},
		{[]string{"--model", "m", "--timeout", "-3s"}, `--timeout -3s: must be from 1ms to 24h0m0s`},
		{[]string{"--model", "m", "--drain-delay", "-1s"}, `--drain-delay -1s: must be from 0s to 24h0m0s`},
		{[]string{"--model", "m", "--timeout", "soon"}, "--timeout soon: must be"},
		{[]string{"--model", "m", "--addr", "nowhere"}, "listen tcp: address nowhere: missing port in address"},
		{[]string{"--modle", "m"}, "unknown flag: --modle"},
	} {
		if err := run(t.Context(), tt.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: got %v, want %s", tt.args, err, tt.want)
		}
	}
}

func TestHelp(t *testing.T) {
	var stdout strings.Builder
	err := run(t.Context(), []string{"--help"}, &stdout, io.Discard)
	if status := cli.Report(io.Discard, "ascood-serve", err); status != 0 {
		t.Errorf("exit status %d: %v", status, err)
	}
	if !strings.Contains(stdout.String(), "curl -F image=@photo.jpg") {
		t.Errorf("no example in %s", stdout.String())
	}
}
