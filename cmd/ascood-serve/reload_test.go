package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/serve"
)

// served is what GET /v1/models says of a name, nil if nothing.
func served(t *testing.T, url, name string) *serve.ModelInfo {
	t.Helper()
	response, err := http.Get(url + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var list serve.ModelsResponse
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	for _, m := range list.Models {
		if m.Name == name {
			return &m
		}
	}
	return nil
}

// await waits for what a reload brings about.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// release is a model file that can be put in a folder in versions that differ in what
// they say of their weights alone.
type release struct {
	t    *testing.T
	path string
	save func(digest string) string
}

func newRelease(t *testing.T, path string, model *onnx.ModelProto, meta *artifact.Metadata) *release {
	return &release{t, path, func(digest string) string {
		meta.Source.SHA256 = digest
		return save(t, model, meta)
	}}
}

// publish puts a version in place, in one step.
func (r *release) publish(digest string) {
	r.t.Helper()
	if err := os.Rename(r.save(digest), r.path); err != nil {
		r.t.Fatal(err)
	}
}

func hangUp(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// Models come, change, go wrong and go, by SIGHUP and by themselves.
func TestReload(t *testing.T) {
	folder := t.TempDir()
	model, meta := exported(t, lenet)
	r := newRelease(t, filepath.Join(folder, "clothes.onnx"), model, meta)
	r.publish("1")
	url := start(t, "--models", folder, "--device", "cpu")
	if m := served(t, url, "clothes"); m == nil || !m.Default || m.SHA256 != "1" {
		t.Fatalf("served is %+v", m)
	}
	image := encoded(t, picture(1))
	want, err := post(url, image)
	if err != nil {
		t.Fatal(err)
	}

	r.publish("2")
	hangUp(t)
	await(t, "the new version", func() bool { return served(t, url, "clothes").SHA256 == "2" })

	if err := os.WriteFile(r.path, []byte("half a"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUp(t)
	await(t, "the refusal", func() bool { return served(t, url, "clothes").Refused != "" })
	m := served(t, url, "clothes")
	if m.Refused != "model clothes.onnx: not an ONNX file, or a truncated one (6 bytes)" || m.SHA256 != "2" {
		t.Errorf("refused because %q, serving %s", m.Refused, m.SHA256)
	}
	if got, err := post(url, image); err != nil || got.Score != want.Score {
		t.Errorf("the old version: %+v, %v", got, err)
	}

	watched := start(t, "--models", folder, "--watch", "1ms", "--model", r.save("3"), "--name", "own", "--device", "cpu")
	if m := served(t, watched, "clothes"); m == nil || m.Description != nil || m.Refused == "" {
		t.Errorf("a model that never was served: %+v", m)
	}
	if response, err := http.Post(watched+"/v1/models/clothes/score", "", strings.NewReader(string(image))); err != nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a model that never was served: %v %v", response.Status, err)
	}
	r.publish("4")
	await(t, "the file to be noticed", func() bool { return served(t, watched, "clothes").Refused == "" })
	if err := os.Remove(r.path); err != nil {
		t.Fatal(err)
	}
	await(t, "its removal to be noticed", func() bool { return served(t, watched, "clothes") == nil })
	if m := served(t, watched, "own"); m == nil || !m.Default || m.SHA256 != "3" {
		t.Errorf("the default is %+v", m)
	}
}

// TestReloadsUnderLoad: over 50 reloads no request is lost, and no model is left in
// memory.
func TestReloadsUnderLoad(t *testing.T) {
	const reloads = 50
	folder := t.TempDir()
	model, meta := heavy(t)
	r := newRelease(t, filepath.Join(folder, "heavy.onnx"), model, meta)
	r.publish("0")
	before := ort.Live()
	url := start(t, "--models", folder, "--device", "cpu", "--threads", "1")
	image := encoded(t, picture(1))
	want, err := post(url, image)
	if err != nil {
		t.Fatal(err)
	}
	stop, answered := make(chan struct{}), atomic.Int64{}
	var clients sync.WaitGroup
	for range 3 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := post(url, image)
				if err != nil || got.Verdict != want.Verdict || got.Prediction != want.Prediction {
					t.Errorf("answered %+v, %v; want %+v", got, err, want)
					return
				}
				answered.Add(1)
			}
		})
	}
	reload := func(n int) {
		digest := fmt.Sprint(n)
		r.publish(digest)
		hangUp(t)
		await(t, "version "+digest, func() bool { return served(t, url, "heavy").SHA256 == digest })
		await(t, "the one before to be freed", func() bool { return ort.Live() == before+1 })
	}
	for n := range 5 { // the allocators' own caches fill
		reload(n + 1)
	}
	first := resident(t)
	for n := range reloads {
		reload(n + 6)
	}
	last := resident(t)
	close(stop)
	clients.Wait()
	t.Logf("%d MiB resident, after %d reloads %d MiB; %d requests answered meanwhile", first>>20, reloads, last>>20, answered.Load())
	if model := size(t, r.path); last > first+reloads/2*model {
		t.Errorf("memory has grown from %d to %d bytes: more than that of half the models, of %d bytes each", first, last, model)
	}
}

// heavy is a network of many weights that is quick to run.
func heavy(t *testing.T) (*onnx.ModelProto, *artifact.Metadata) {
	t.Helper()
	model, meta := testmodel.Random(t, models.Spec{Arch: "lenet", Width: 32, Classes: 10, Head: models.HeadLinear}, testmodel.Square(28), artifact.ScoreIODIN)
	meta.Calibration = &artifact.Calibration{Samples: 2, TPR: 0.5, Threshold: 0.1, Quantiles: []float64{0.1, 0.2}, Score: meta.Score}
	return model, meta
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// resident is how much memory the process has, garbage left out.
func resident(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(data), &total, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}
