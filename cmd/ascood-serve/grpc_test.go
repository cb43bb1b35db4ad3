package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/serve/inference"
)

// TestGRPC has a real artifact answer for all of its outputs over gRPC, as it does without
// a server.
func TestGRPC(t *testing.T) {
	model, meta := exported(t, lenet)
	address := free(t)
	start(t, "--model", save(t, model, meta), "--device", "cpu", "--grpc-addr", address)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m, err := ioodin.New(model, meta, ioodin.Options{Details: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	crop := meta.Preprocess.Crop(picture(1))
	scored, details, err := m.Details(t.Context(), [][]uint8{crop})
	if err != nil {
		t.Fatal(err)
	}
	numbers := make([]uint32, len(crop))
	for i, v := range crop {
		numbers[i] = uint32(v)
	}
	answer, err := inference.NewGRPCInferenceServiceClient(conn).ModelInfer(t.Context(), &inference.ModelInferRequest{
		ModelName: "test",
		Inputs: []*inference.ModelInferRequest_InferInputTensor{{
			Name: artifact.Pixels, Datatype: "UINT8", Shape: []int64{1, 28, 28, 3}, Contents: &inference.InferTensorContents{UintContents: numbers},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]*inference.InferTensorContents{}
	for _, o := range answer.Outputs {
		seen[o.Name] = o.Contents
	}
	for _, s := range m.Outputs() {
		got, want := seen[s.Name], details[0][s.Name]
		if s.Name == artifact.OwnScore { // the verdict's
			want = ioodin.Output{Doubles: []float64{scored[0].Score}}
		}
		if !slices.Equal(got.GetFp32Contents(), want.Floats) || !slices.Equal(got.GetFp64Contents(), want.Doubles) || !slices.Equal(got.GetInt64Contents(), want.Ints) {
			t.Errorf("%s is %v, want %v", s.Name, got, want)
		}
	}
	c, err := m.Calibration()
	if err != nil {
		t.Fatal(err)
	}
	d := c.Decide(scored[0].Score)
	if got := seen["verdict"].GetBytesContents(); len(got) != 1 || string(got[0]) != string(d.Verdict) {
		t.Errorf("verdict %q, want %s", got, d.Verdict)
	}
	if got := seen["p_value"].GetFp64Contents(); len(got) != 1 || got[0] != d.PValue {
		t.Errorf("p-value %v, want %v", got, d.PValue)
	}
}

func TestGRPCPortInUse(t *testing.T) {
	other := listenOn(t)
	err := run(t.Context(), []string{"--model", "missing.onnx", "--addr", "127.0.0.1:0", "--grpc-addr", other}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), other+": bind: address already in use; --grpc-addr chooses another address") {
		t.Errorf("got %v", err)
	}
}
