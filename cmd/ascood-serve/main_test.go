package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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

const size = 28 // pixels, LeNet's input

// exported is a network with random images' scores as its calibration.
func exported(t *testing.T) (*onnx.ModelProto, *artifact.Metadata) {
	t.Helper()
	c, err := checkpoint.Load(filepath.Join("..", "..", "testdata", "nets", "lenet.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	half := [3]float64{.5, .5, .5}
	score, err := artifact.DefaultScore(artifact.MethodIODIN)
	if err != nil {
		t.Fatal(err)
	}
	model, meta, err := export.FromCheckpoint(c, export.Options{
		Name: "test", Arch: "lenet", Score: score,
		Preprocess: &preprocess.Config{PreSize: size, ImageSize: size, Mean: half, Std: half},
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

// post uploads a file and returns the one result, its times left out.
func post(url string, file []byte) (string, error) {
	response, err := http.Post(url+"/v1/score", "", bytes.NewReader(file))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer serve.ScoreResponse
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK || len(answer.Results) != 1 || answer.Results[0].Decision == nil {
		return "", fmt.Errorf("status %d, answer %+v", response.StatusCode, answer)
	}
	answer.Results[0].StagesMS = serve.Stages{}
	return fmt.Sprintf("%+v", *answer.Results[0].Decision), nil
}

// A real network gives each of many clients what it gives one alone, and what it
// gives without a server.
func TestConcurrentUploads(t *testing.T) {
	model, meta := exported(t)
	url := start(t, "--model", save(t, model, meta), "--device", "cpu", "--threads", "1")
	m, err := ioodin.New(model, meta, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const n = 48
	alone := make([]string, n)
	for i := range alone {
		if alone[i], err = post(url, encoded(t, picture(i))); err != nil {
			t.Fatal(err)
		}
		r, err := m.Score(t.Context(), [][]uint8{meta.Preprocess.Crop(picture(i))})
		if err != nil {
			t.Fatal(err)
		}
		d := m.Decide(r[0].Score)
		direct := fmt.Sprintf("%+v", serve.Decision{
			Verdict: d.Verdict, Score: r[0].Score, Threshold: d.Threshold, PValue: d.PValue,
			Prediction: r[0].Prediction, Class: meta.Classes[r[0].Prediction], Probability: r[0].Probability,
		})
		if alone[i] != direct {
			t.Errorf("picture %d: served %s, direct %s", i, alone[i], direct)
		}
	}
	var clients sync.WaitGroup
	for i := range alone {
		file := encoded(t, picture(i))
		clients.Go(func() {
			if got, err := post(url, file); err != nil || got != alone[i] {
				t.Errorf("picture %d: got %s %v, alone %s", i, got, err, alone[i])
			}
		})
	}
	clients.Wait()
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// It is known before the model is looked at.
	err = run(t.Context(), []string{"--model", "missing.onnx", "--addr", l.Addr().String()}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()+": bind: address already in use; --addr chooses another") {
		t.Errorf("got %v", err)
	}
}

func TestWrongModel(t *testing.T) {
	model, meta := exported(t)
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
		{"uncalibrated", []string{"--model", save(t, model, &uncalibrated)}, "model test has no calibration, so it has scores but no verdicts: export it with --calibrate"},
		{"another score", []string{"--model", good, "--score", "msp"}, "model test is calibrated for iodin (temperature 1000, noise 0.0014), not for msp (temperature 1)"},
		{"another temperature", []string{"--model", good, "--temperature", "1"}, "not for iodin (temperature 1, noise 0.0014)"},
		{"unknown score", []string{"--model", good, "--score", "energy"}, `unknown score "energy"; known are [iodin odin msp]`},
		{"temperature 0", []string{"--model", good, "--temperature", "0"}, "temperature 0: must be greater than 0"},
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

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "--model is missing"},
		{[]string{"--model", "m", "model.onnx"}, `unexpected argument "model.onnx"`},
		{[]string{"--model", "m", "--log-format", "xml"}, `unknown format "xml"; known are text and json`},
		{[]string{"--model", "m", "--max-body", "0"}, "limit on request body (bytes): 0 must be greater than 0"},
		{[]string{"--model", "m", "--max-megapixels", "NaN"}, "limit on pixels of an image"},
		{[]string{"--model", "m", "--timeout", "soon"}, `invalid argument "soon" for "--timeout"`},
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
