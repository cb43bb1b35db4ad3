package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/ioodin"
)

// TestV2 has a real artifact answer for all of its outputs, as it does without a server.
func TestV2(t *testing.T) {
	model, meta := exported(t, lenet)
	url := start(t, "--model", save(t, model, meta), "--device", "cpu")
	m, err := ioodin.New(model, meta, ioodin.Options{Details: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	crop := meta.Preprocess.Crop(picture(1))
	_, details, err := m.Details(t.Context(), [][]uint8{crop})
	if err != nil {
		t.Fatal(err)
	}
	type tensor struct {
		Name     string    `json:"name"`
		Datatype string    `json:"datatype,omitempty"`
		Shape    []int     `json:"shape,omitempty"`
		Data     []float64 `json:"data,omitempty"`
	}
	var request, answer struct {
		Inputs  []tensor `json:"inputs,omitempty"`
		Outputs []tensor `json:"outputs"`
		Error   string   `json:"error,omitempty"`
	}
	pixels := tensor{artifact.Pixels, "UINT8", []int{1, 28, 28, 3}, nil}
	for _, v := range crop {
		pixels.Data = append(pixels.Data, float64(v))
	}
	request.Inputs = []tensor{pixels}
	for _, s := range m.Outputs() {
		request.Outputs = append(request.Outputs, tensor{Name: s.Name})
	}
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(url+"/v2/models/test/infer", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Error != "" || len(answer.Outputs) != len(m.Outputs()) {
		t.Fatalf("%d outputs, %q, %v", len(answer.Outputs), answer.Error, err)
	}
	for _, got := range answer.Outputs {
		want := details[0][got.Name]
		for i, v := range got.Data {
			if want.Ints != nil && v != float64(want.Ints[i]) || want.Floats != nil && float32(v) != want.Floats[i] || want.Doubles != nil && v != want.Doubles[i] {
				t.Errorf("%s[%d] is %v", got.Name, i, v)
				break
			}
		}
		if len(got.Data) != len(want.Ints)+len(want.Floats)+len(want.Doubles) {
			t.Errorf("%s has %d elements", got.Name, len(got.Data))
		}
	}
}
